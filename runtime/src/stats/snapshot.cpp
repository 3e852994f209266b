// SPDX-License-Identifier: Apache-2.0
// Questions to a copied histogram.

#include "zokio/stats/snapshot.h"

#include <algorithm>
#include <cmath>

#include "zokio/stats/histogram.h"

namespace zokio {

uint64_t HistogramSnapshot::quantile(double q) const {
  if (count == 0) return 0;
  // The rank is at least 1: the quantile 0 is the bucket of the smallest value. NaN counts as 0.
  const double share = q > 0 ? std::min(q, 1.0) : 0.0;
  const auto rank = std::clamp<uint64_t>(
      static_cast<uint64_t>(std::ceil(share * static_cast<double>(count))), 1, count);
  uint64_t seen = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    seen += counts[i];
    if (seen >= rank) return stats::bucket_upper_bound(i);
  }
  return stats::bucket_upper_bound(stats::kHistogramBuckets - 1);
}

uint64_t HistogramSnapshot::count_at_most(uint64_t bound) const {
  // The last bucket has no upper end, so its values are at or below the largest bound only.
  if (bound == UINT64_MAX) return count;
  uint64_t below = 0;
  for (std::size_t i = 0; i + 1 < stats::kHistogramBuckets && i < counts.size(); ++i) {
    if (stats::bucket_upper_bound(i) > bound) break;
    below += counts[i];
  }
  return below;
}

}  // namespace zokio
