// SPDX-License-Identifier: Apache-2.0
#pragma once

// Memory: live blocks of 8 to 256 bytes, and what the process has for them. Measured when they are
// all allocated, after 2,000,000 of them were replaced at random, when all were freed for a while,
// and when the allocator was then told to give back what it can.
// Thread: each has its part of the blocks; the main thread reads the figures while all wait.

#include <sys/mman.h>

#include <string>

#include "measure.h"

namespace bench::mem {

inline constexpr uint64_t kReplaced = 2'000'000;

// Its table is mapped and touched before the baseline is read.
template <class A>
class LiveSet {
 public:
  explicit LiveSet(uint64_t blocks) : count_(blocks) {
    table_ = static_cast<Block*>(mmap(nullptr, blocks * sizeof(Block), PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
    if (table_ == MAP_FAILED) std::abort();
  }
  LiveSet(const LiveSet&) = delete;
  LiveSet& operator=(const LiveSet&) = delete;
  ~LiveSet() { munmap(table_, count_ * sizeof(Block)); }

  void fill_all() {
    for (uint64_t i = 0; i < count_; ++i) put(table_[i]);
  }
  void replace(uint64_t times) {
    for (uint64_t i = 0; i < times; ++i) {
      Block& block = table_[random_.next() % count_];
      remove(block);
      put(block);
    }
  }
  void free_all() {
    for (uint64_t i = 0; i < count_; ++i) remove(table_[i]);
  }
  // Nothing live: what a thread that goes on does, so that caches that return memory by and by have
  // their occasion.
  void go_on() {
    for (int i = 0; i < 1'000; ++i) {
      Block block;
      put(block);
      remove(block);
    }
  }

  uint64_t bytes() const { return bytes_; }
  bool ok() const { return ok_; }

 private:
  static constexpr uint32_t kEvery = whole_every(SmallSizes::kTypical);

  void put(Block& block) {
    const size_t bytes = SmallSizes::of(static_cast<uint32_t>(random_.next() >> 32));
    block = {take<A>(bytes, 0), static_cast<uint32_t>(bytes), number_++};
    fill<Touch::Every>(block, kEvery);
    bytes_ += bytes;
  }
  void remove(const Block& block) {
    ok_ &= intact<Touch::Every>(block, kEvery);
    bytes_ -= block.bytes;
    give<A>(block.memory, block.bytes);
  }

  Block* table_;
  uint64_t count_;
  uint64_t bytes_ = 0;
  SplitMix random_{17};
  uint32_t number_ = 0;
  bool ok_ = true;
};

// The figures of one run, read while no thread does anything.
class LiveFigures {
 public:
  LiveFigures(const Config& config, uint64_t blocks) : config_(config), blocks_(blocks) {}

  void baseline() {
    baseline_ = rss_bytes();
    began_ = now_ns();
  }
  void filled(uint64_t live) {
    const auto took = static_cast<double>(now_ns() - began_);
    report("_fill", took / static_cast<double>(blocks_), "ns");
    report("", over(live), "bytes");
  }
  void churned(uint64_t live) { report("_churned", over(live), "bytes"); }
  void freed(const char* suffix) { report(suffix, over(0), "bytes"); }
  void close(bool ok) {
    if (!ok) all_ok() = false;
  }

 private:
  // Resident bytes beyond the baseline and the live ones, for each 100 bytes that were asked for.
  double over(uint64_t live) {
    if (live != 0) asked_ = static_cast<double>(live);
    return 100 * (static_cast<double>(rss_bytes() - baseline_) - static_cast<double>(live)) /
           asked_;
  }
  // `<workload>/<size>` becomes `<workload><suffix>/<size>`.
  void report(const char* suffix, double value, const char* unit) {
    const size_t slash = config_.workload.find('/');
    std::string name(config_.workload.substr(0, slash));
    name.append(suffix).append(config_.workload.substr(slash));
    Config part = config_;
    part.workload = name;
    emit(part, "", value, unit, true);
  }

  const Config& config_;
  uint64_t blocks_;
  int64_t baseline_ = 0, began_ = 0;
  double asked_ = 1;
};

template <class A, uint64_t Blocks>
void measure_live(const Config& config) {
  std::barrier together(static_cast<std::ptrdiff_t>(config.workers));
  std::atomic<uint64_t> live{0};
  std::atomic<bool> ok{true};
  LiveFigures figures(config, Blocks);
  const auto part = [&](bool leader) {
    [[maybe_unused]] const typename A::Thread thread;
    LiveSet<A> set(Blocks / config.workers);
    // All have done `work`, the leader reads, all go on.
    const auto step = [&](auto work, auto read) {
      live -= set.bytes();
      work();
      live += set.bytes();
      together.arrive_and_wait();
      if (leader) read();
      together.arrive_and_wait();
    };
    const auto go_on_for_a_while = [&] {
      for (int i = 0; i < 10; ++i) {
        sleep_outside(20'000'000);
        set.go_on();
      }
    };
    step([&] { set.go_on(); }, [&] { figures.baseline(); });
    step([&] { set.fill_all(); }, [&] { figures.filled(live); });
    step([&] { set.replace(kReplaced / config.workers); }, [&] { figures.churned(live); });
    step([&] { set.free_all(); }, [] {});
    step(go_on_for_a_while, [&] { figures.freed("_left"); });
    step([] { A::trim(); }, [&] { figures.freed("_trimmed"); });
    if (!set.ok()) ok = false;
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < config.workers; ++i) threads.emplace_back([&] { part(false); });
    part(true);
  }
  figures.close(ok);
}

}  // namespace bench::mem
