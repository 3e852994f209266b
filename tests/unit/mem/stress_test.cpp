// SPDX-License-Identifier: Apache-2.0
// Many live blocks, several threads, blocks freed where they were not allocated, caps that change
// all the time: no two blocks ever overlap and nothing is lost.

#include <array>
#include <mutex>
#include <optional>
#include <random>

#include "pools_fixture.h"

namespace zokio::mem {
namespace {

using StressTest = PoolsTest;

// A block filled with a pattern of its own, over its whole length.
struct Marked {
  Buffer buffer;  // or
  std::byte* frame = nullptr;
  std::size_t bytes = 0;
  uint64_t mark = 0;

  std::byte* data() { return frame != nullptr ? frame : buffer.data(); }
  std::byte pattern(std::size_t at) const {
    return static_cast<std::byte>((mark * 0x9E3779B97F4A7C15u >> 32) + at * 31 + (at >> 8));
  }
  void fill() {
    for (std::size_t at = 0; at < bytes; ++at) data()[at] = pattern(at);
  }
  // Checks and frees. False when somebody else wrote into the block.
  bool finish() {
    bool intact = true;
    for (std::size_t at = 0; at < bytes; ++at) intact &= data()[at] == pattern(at);
    if (frame != nullptr) free_frame(frame, bytes);
    frame = nullptr;
    buffer.reset();
    return intact;
  }
};

// Where threads leave blocks for each other.
class Exchange {
 public:
  void swap(std::size_t at, std::optional<Marked>& block) {
    Slot& slot = slots_[at % slots_.size()];
    const std::scoped_lock lock(slot.mutex);
    std::swap(slot.block, block);
  }
  bool finish_all() {
    bool intact = true;
    for (Slot& slot : slots_) {
      if (slot.block) intact &= slot.block->finish();
    }
    return intact;
  }

 private:
  struct Slot {
    std::mutex mutex;
    std::optional<Marked> block;
  };
  std::array<Slot, 64> slots_;
};

std::optional<Marked> make(std::mt19937_64& rng, uint64_t mark) {
  // Sizes over all magnitudes, up to 48 KiB, rarely above a megabyte.
  std::size_t bytes = 1 + (rng() >> (16 + rng() % 12)) % (48 * kKiB);
  bytes = std::size_t{1} + bytes % (std::size_t{16} << rng() % 12);
  if (rng() % 2000 == 0) bytes = 1 * kMiB + rng() % (256 * kKiB);
  Marked out;
  out.bytes = bytes;
  out.mark = mark;
  if (rng() % 2 == 0) {
    out.frame = static_cast<std::byte*>(allocate_frame(bytes));
  } else {
    auto buffer = lease(bytes);
    if (!buffer) return std::nullopt;
    out.buffer = *std::move(buffer);
  }
  out.fill();
  return out;
}

struct Outcome {
  std::atomic<bool> intact{true};
  std::atomic<uint64_t> operations{0};
  std::atomic<uint64_t> refused{0};
};

// Until `stop` and at least `least` operations.
void churn(unsigned seed, bool cached, Exchange& exchange, std::atomic<bool>& stop, int least,
           Outcome& outcome) {
  ThreadCache* cache = cached ? acquire_thread_cache() : nullptr;
  set_current_cache(cache);
  std::mt19937_64 rng(seed);
  std::vector<std::optional<Marked>> live(150);
  uint64_t mark = uint64_t{seed} << 40;
  for (int i = 0; i < least || !stop; ++i) {
    auto& slot = live[rng() % live.size()];
    if (slot) {
      if (rng() % 4 == 0) exchange.swap(rng(), slot);
      if (slot && !slot->finish()) outcome.intact = false;
      slot.reset();
    } else {
      slot = make(rng, ++mark);
      outcome.refused += !slot;
    }
    outcome.operations.fetch_add(1, std::memory_order_relaxed);
    if (i % 512 == 0) {
      park_thread_cache(cache);
      unpark_thread_cache(cache);
    }
    if (cached && i % 5000 == 4999) {  // a worker that retires, and its successor
      release_thread_cache(cache);
      cache = acquire_thread_cache();
      set_current_cache(cache);
    }
  }
  for (auto& slot : live) {
    if (slot && !slot->finish()) outcome.intact = false;
  }
  release_thread_cache(cache);
}

TEST_F(StressTest, BlocksNeverOverlap) {
  Exchange exchange;
  Outcome outcome;
  std::atomic<bool> stop{true};
  std::vector<std::thread> threads;
  const int operations = kSanitized ? 10'000 : 60'000;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back(churn, t + 1, t != 0, std::ref(exchange), std::ref(stop), operations,
                         std::ref(outcome));
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(exchange.finish_all());
  EXPECT_TRUE(outcome.intact);
  EXPECT_EQ(outcome.refused, 0u);
}

TEST_F(StressTest, CapsChangeThousandsOfTimesUnderLoad) {
  Exchange exchange;
  Outcome outcome;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 3; ++t) {
    threads.emplace_back(churn, t + 11, t != 0, std::ref(exchange), std::ref(stop), 1000,
                         std::ref(outcome));
  }
  std::mt19937_64 rng(5);
  uint64_t refused = 0;
  uint64_t forced = 0;
  const int changes = kSanitized ? 2'000 : 4'000;
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  // On a busy machine the load may start late: go on until the test reached what it is about.
  const auto reached = [&] { return refused != 0 && forced != 0 && outcome.refused != 0; };
  for (int i = 0; i < changes || (!reached() && std::chrono::steady_clock::now() < end); ++i) {
    const bool force = rng() % 2 == 0;
    const uint64_t bytes = rng() % 4 == 0 ? 0 : 1 + rng() % (4 * kMiB);
    const char* pool = rng() % 2 == 0 ? "frames" : "buffers";
    Result<LimitReport> report =
        rng() % 5 == 0 ? set_total_limit(bytes, force) : set_limit(pool, bytes, force);
    if (!report) {
      EXPECT_EQ(report.error().code, Errc::FailedPrecondition);
      EXPECT_FALSE(force);
      ++refused;
    } else {
      EXPECT_EQ(report->requested, bytes);
      forced += report->residual_bytes != 0;
    }
    if (i % 16 == 0) trim();
    if (i % 4 == 0) std::this_thread::yield();
  }
  // Caps that are far too small converge to what is in use, while the load goes on.
  EXPECT_TRUE(set_total_limit(0).has_value());
  EXPECT_TRUE(set_limit("buffers", 64 * kKiB, true).has_value());
  EXPECT_TRUE(eventually([] { return !buffers().shrinking; }))
      << buffers().in_use_bytes << " in use, " << buffers().cached_bytes << " cached";
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(exchange.finish_all());
  EXPECT_TRUE(outcome.intact);
  EXPECT_GT(refused, 0u);
  EXPECT_GT(forced, 0u);
  EXPECT_GT(outcome.refused, 0u);
}

}  // namespace
}  // namespace zokio::mem
