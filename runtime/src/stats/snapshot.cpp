// SPDX-License-Identifier: Apache-2.0
// Questions to a copied histogram.

#include "zokio/stats/snapshot.h"

#include <algorithm>
#include <cmath>

#include "zokio/stats/histogram.h"

namespace zokio {
namespace {

double share(uint64_t part, uint64_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

// By policy: what is cached and not stranded.
template <class Snapshot>
double fragmentation_of(const Snapshot& s) {
  const uint64_t useful =
      s.in_use_bytes + s.cached_bytes - std::min(s.stranded_bytes, s.cached_bytes);
  return share(s.committed_bytes - std::min(useful, s.committed_bytes), s.committed_bytes);
}

template <class Snapshot>
uint64_t requests_of(const Snapshot& s) {
  return s.hits_thread + s.hits_shared + s.misses_os;
}

}  // namespace

double PoolSnapshot::fragmentation() const {
  return fragmentation_of(*this);
}
double PoolSnapshot::utilisation() const {
  return share(requested_bytes, committed_bytes);
}
double PoolSnapshot::reuse_rate() const {
  return share(hits_thread + hits_shared, requests_of(*this));
}
double PoolSnapshot::hit_rate() const {
  return share(hits_thread, requests_of(*this));
}
double ClassSnapshot::fragmentation() const {
  return fragmentation_of(*this);
}
double ClassSnapshot::reuse_rate() const {
  return share(hits_thread + hits_shared, requests_of(*this));
}
double ClassSnapshot::hit_rate() const {
  return share(hits_thread, requests_of(*this));
}

uint64_t PoolSnapshot::allocation_ns(double q) const {
  if (hit_ns.count == 0 || miss_ns.count == 0)
    return (hit_ns.count == 0 ? miss_ns : hit_ns).quantile(q);
  const double hits = hit_rate();
  double below = 0;
  for (std::size_t i = 0; i < stats::kHistogramBuckets; ++i) {
    below += hits * share(hit_ns.counts[i], hit_ns.count);
    below += (1 - hits) * share(miss_ns.counts[i], miss_ns.count);
    if (below >= q) return stats::bucket_upper_bound(i);
  }
  return stats::bucket_upper_bound(stats::kHistogramBuckets - 1);
}

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
