// SPDX-License-Identifier: Apache-2.0
#pragma once

// Workloads in which a thread frees what it allocated: pairs, batches, slots.
// Thread: each thread has its own object of these.

#include <algorithm>
#include <numeric>

#include "measure.h"

namespace bench::mem {

// Allocates a block and frees it. One of whole_every is written and compared, the others are left
// alone, so that what is measured is two calls.
template <class A, size_t Bytes, bool Fixed>
class Pair {
 public:
  static constexpr bool kAlone = true;
  static constexpr uint32_t kEvery = whole_every(Bytes);
  static constexpr uint64_t kOps = std::max<uint64_t>(4096, kEvery);

  bool iterate() {
    bool ok = true;
    for (uint64_t i = 0; i < kOps; i += kEvery) {
      const Block block{one(), Bytes, number_ += kEvery};
      fill_whole(block);
      ok &= intact_whole(block);
      end(block.memory);
      for (uint32_t j = 1; j < kEvery; ++j) end(one());
    }
    return ok;
  }
  bool finish() { return true; }

 private:
  static std::byte* one() {
    if constexpr (Fixed)
      return take_fixed<A, Bytes>();
    else
      return take<A>(Bytes, 0);
  }
  static void end(std::byte* memory) {
    if constexpr (Fixed)
      give_fixed<A, Bytes>(memory);
    else
      give<A>(memory, Bytes);
  }

  uint32_t number_ = 0;
};

enum class Order { Lifo, Fifo, Random };

// Allocates 1,000 blocks, then frees them in an order that is the same each time.
template <class A, size_t Bytes, Order How>
class Batch {
 public:
  static constexpr bool kAlone = true;
  static constexpr uint64_t kOps = 1000;
  static constexpr uint32_t kEvery = whole_every(Bytes);

  Batch() {
    std::iota(order_.begin(), order_.end(), uint16_t{0});
    if (How == Order::Lifo) std::reverse(order_.begin(), order_.end());
    if (How != Order::Random) return;
    SplitMix random{11};
    for (size_t i = kOps - 1; i > 0; --i) std::swap(order_[i], order_[random.next() % (i + 1)]);
  }

  bool iterate() {
    for (size_t i = 0; i < kOps; ++i) {
      blocks_[i] = {take<A>(Bytes, i), Bytes, number_++};
      fill<Touch::Sample>(blocks_[i], kEvery);
    }
    bool ok = true;
    for (const uint16_t i : order_) {
      ok &= intact<Touch::Sample>(blocks_[i], kEvery);
      give<A>(blocks_[i].memory, Bytes);
    }
    return ok;
  }
  bool finish() { return true; }

 private:
  std::array<Block, kOps> blocks_;
  std::array<uint16_t, kOps> order_;
  uint32_t number_ = 0;
};

// 10,000 live blocks; one operation frees one of them and puts another of a random size there.
template <class A, class Sizes, Touch What>
class Slots {
 public:
  static constexpr bool kAlone = true;
  static constexpr uint64_t kOps = 10'000;
  static constexpr uint64_t kLive = 10'000;
  static constexpr uint32_t kEvery = whole_every(Sizes::kTypical);

  Slots() : blocks_(kLive) {
    for (size_t i = 0; i < kLive; ++i) refill(i, random_.next());
  }

  bool iterate() {
    bool ok = true;
    for (uint64_t i = 0; i < kOps; ++i) {
      const uint64_t random = random_.next();
      const size_t slot = (random & 0xffffffff) * kLive >> 32;
      ok &= release(slot);
      refill(slot, random);
    }
    return ok;
  }

  bool finish() {
    bool ok = true;
    for (size_t i = 0; i < kLive; ++i) ok &= release(i);
    return ok;
  }

 private:
  void refill(size_t slot, uint64_t random) {
    const size_t bytes = Sizes::of(static_cast<uint32_t>(random >> 32));
    blocks_[slot] = {take<A>(bytes, slot), static_cast<uint32_t>(bytes), number_++};
    fill<What>(blocks_[slot], kEvery);
  }
  bool release(size_t slot) {
    const Block block = blocks_[slot];
    const bool ok = intact<What>(block, kEvery);
    give<A>(block.memory, block.bytes);
    return ok;
  }

  std::vector<Block> blocks_;
  SplitMix random_{5};
  uint32_t number_ = 0;
};

}  // namespace bench::mem
