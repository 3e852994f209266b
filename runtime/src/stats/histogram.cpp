// SPDX-License-Identifier: Apache-2.0
// Copying and merging histograms. Recording is inline in the header.

#include "zokio/stats/histogram.h"

namespace zokio::stats {

HistogramSnapshot Histogram::snapshot() const {
  HistogramSnapshot out;
  out.counts.resize(kHistogramBuckets);
  for (std::size_t i = 0; i < kHistogramBuckets; ++i) {
    out.counts[i] = counts_[i].read();
    out.count += out.counts[i];
  }
  out.sum = sum_.read();
  return out;
}

void merge(HistogramSnapshot& into, const HistogramSnapshot& from) {
  if (into.counts.size() < from.counts.size()) into.counts.resize(from.counts.size());
  for (std::size_t i = 0; i < from.counts.size(); ++i) into.counts[i] += from.counts[i];
  into.count += from.count;
  into.sum += from.sum;
}

}  // namespace zokio::stats
