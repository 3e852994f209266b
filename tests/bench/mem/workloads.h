// SPDX-License-Identifier: Apache-2.0
#pragma once

// The workloads of `./dev bench mem` by name, `<workload>/<size>`, for an allocator policy
// (measure.h); README.md says what each is.

#include "cross.h"
#include "frame.h"
#include "live.h"
#include "local.h"

namespace bench::mem {

using Table = std::vector<Workload>;

inline void append(Table& all, const Table& more) {
  all.insert(all.end(), more.begin(), more.end());
}

template <class A, size_t Bytes>
inline constexpr auto kPair = &measure_threads<typename A::template For<Bytes>,
                                               Pair<typename A::template For<Bytes>, Bytes, false>>;
template <class A, size_t Bytes>
inline constexpr auto kPairFixed =
    &measure_threads<typename A::template For<Bytes>,
                     Pair<typename A::template For<Bytes>, Bytes, true>>;
template <class A, size_t Bytes, Order How>
inline constexpr auto kBatch = &measure_threads<typename A::template For<Bytes>,
                                                Batch<typename A::template For<Bytes>, Bytes, How>>;
template <class A, size_t MaxBytes, class Sizes, Touch What>
inline constexpr auto kSlots =
    &measure_threads<typename A::template For<MaxBytes>,
                     Slots<typename A::template For<MaxBytes>, Sizes, What>>;

template <class A>
Table local_workloads() {
  return {{"pair/16", kPair<A, 16>},
          {"pair/64", kPair<A, 64>},
          {"pair/256", kPair<A, 256>},
          {"pair/1024", kPair<A, 1024>},
          {"pair/8192", kPair<A, 8192>},
          {"pair/65536", kPair<A, 65536>},
          {"pair_fixed/16", kPairFixed<A, 16>},
          {"pair_fixed/64", kPairFixed<A, 64>},
          {"pair_fixed/256", kPairFixed<A, 256>},
          {"pair_fixed/1024", kPairFixed<A, 1024>},
          {"batch_lifo/64", kBatch<A, 64, Order::Lifo>},
          {"batch_fifo/64", kBatch<A, 64, Order::Fifo>},
          {"batch_random/64", kBatch<A, 64, Order::Random>},
          {"batch_lifo/512", kBatch<A, 512, Order::Lifo>},
          {"batch_fifo/512", kBatch<A, 512, Order::Fifo>},
          {"batch_random/512", kBatch<A, 512, Order::Random>},
          {"slots/8-256", kSlots<A, 256, SmallSizes, Touch::Sample>},
          {"slots/8-65536", kSlots<A, 65536, LogSizes<A::kLargest>, Touch::Sample>},
          {"slots_touched/8-256", kSlots<A, 256, SmallSizes, Touch::Every>},
          {"slots_touched/8-65536", kSlots<A, 65536, LogSizes<A::kLargest>, Touch::Every>}};
}

template <class A, class Sizes, size_t MaxBytes, size_t PerEntry, size_t Entries>
inline constexpr auto kCross =
    &measure_threads<typename A::template For<MaxBytes>,
                     Cross<typename A::template For<MaxBytes>, Sizes, PerEntry, Entries>>;

template <class A>
Table cross_workloads() {
  return {{"cross/64", kCross<A, OneSize<64>, 64, 32, 32>},
          {"cross/8-256", kCross<A, SmallSizes, 256, 32, 32>},
          {"cross/4096", kCross<A, OneSize<4096>, 4096, 32, 32>},
          {"cross_batch/64", kCross<A, OneSize<64>, 64, 1000, 4>},
          {"cross_batch/8-256", kCross<A, SmallSizes, 256, 1000, 4>}};
}

template <class A>
Table frame_workloads() {
  using Small = typename A::template For<32>;
  using Large = typename A::template For<544>;
  return {{"frame/32", &measure_threads<Small, Frames<Small, &small_coroutine<Small>>>},
          {"frame/544", &measure_threads<Large, Frames<Large, &large_coroutine<Large>>>}};
}

template <class A>
Table live_workloads() {
  return {{"live_10k/8-256", &measure_live<A, 10'000>},
          {"live_1m/8-256", &measure_live<A, 1'000'000>}};
}

}  // namespace bench::mem
