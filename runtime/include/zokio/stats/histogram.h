// SPDX-License-Identifier: Apache-2.0
#pragma once

// A log-linear histogram of nanoseconds: 8 buckets per power of two, so a bucket is at most 1/8 of
// its lower bound wide. 2.5 KiB each. Values below 16 have a bucket of their own; values of 2^42 ns
// (73 minutes) and more share the last bucket.
// Thread: any may read; one at a time calls record, any call record_shared.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "zokio/stats/counter.h"
#include "zokio/stats/snapshot.h"

namespace zokio::stats {

inline constexpr unsigned kSubBucketBits = 3;
inline constexpr uint64_t kSubBuckets = 1u << kSubBucketBits;
inline constexpr unsigned kHistogramBits = 42;
// One bucket for each of 0..7, then eight for each power of two from 2^3 to 2^41.
inline constexpr std::size_t kHistogramBuckets =
    (kHistogramBits - kSubBucketBits + 1) * kSubBuckets;

constexpr std::size_t bucket_of(uint64_t value) noexcept {
  if (value < kSubBuckets) return static_cast<std::size_t>(value);
  if (value >> kHistogramBits != 0) return kHistogramBuckets - 1;
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kSubBucketBits;
  return static_cast<std::size_t>((shift + 1) * kSubBuckets +
                                  ((value >> shift) & (kSubBuckets - 1)));
}

// The largest value of bucket `index`; that of the last bucket is 2^42 - 1 although it also takes
// everything larger. Requires: index < kHistogramBuckets.
constexpr uint64_t bucket_upper_bound(std::size_t index) noexcept {
  if (index < kSubBuckets) return index;
  const unsigned shift = static_cast<unsigned>(index / kSubBuckets) - 1;
  return ((kSubBuckets + index % kSubBuckets + 1) << shift) - 1;
}

class Histogram {
 public:
  constexpr Histogram() noexcept = default;

  // Requires: one thread at a time records this way, and none with record_shared.
  void record(uint64_t ns) noexcept {
    counts_[bucket_of(ns)].add();
    sum_.add(ns);
  }

  // Thread: any.
  void record_shared(uint64_t ns) noexcept {
    counts_[bucket_of(ns)].add_shared();
    sum_.add_shared(ns);
  }

  // `count` equals the sum of `counts`. A value being recorded meanwhile may be in one of counts
  // and sum only.
  HistogramSnapshot snapshot() const;

 private:
  std::array<Counter, kHistogramBuckets> counts_{};
  Counter sum_;
};

// Adds the values of `from` to `into`.
void merge(HistogramSnapshot& into, const HistogramSnapshot& from);

}  // namespace zokio::stats
