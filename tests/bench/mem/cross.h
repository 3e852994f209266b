// SPDX-License-Identifier: Apache-2.0
#pragma once

// Workloads in which another thread frees: a producer allocates, a consumer compares and frees.
// The ring between them holds 1,024 blocks, 32 to an entry (as a queue of messages does), or four
// batches of 1,000 (as a pipeline does). One block to an entry would measure the ring: how often
// the two meet at its end decides then. Each thread is pinned to a core of its own where there are
// two, so that no figure depends on where the system put them. Thread: the producer is the main
// thread; the consumer lives as long as the workload.

#include <sched.h>

#include <atomic>

#include "measure.h"

namespace bench::mem {

// One producer, one consumer. Each keeps what it last saw of the other's index, so that the lines
// of the indices move seldom. Ordering: an index is released after the entry was written or read.
// Source: Lamport, "Proving the Correctness of Multiprocess Programs" (1977).
template <class T, size_t N>
class Ring {
 public:
  // Producer: the next entry to write, then publish().
  T& claim() {
    const uint64_t at = head_.load(std::memory_order_relaxed);
    while (at - seen_tail_ == N) {
      seen_tail_ = tail_.load(std::memory_order_acquire);
      if (at - seen_tail_ == N) pause(producer_spins_);
    }
    producer_spins_ = 0;
    return entries_[at % N];
  }
  void publish() {
    head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  // Consumer: the oldest entry, then pop().
  T& front() {
    const uint64_t at = tail_.load(std::memory_order_relaxed);
    while (at == seen_head_) {
      seen_head_ = head_.load(std::memory_order_acquire);
      if (at == seen_head_) pause(consumer_spins_);
    }
    consumer_spins_ = 0;
    return entries_[at % N];
  }
  void pop() { tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  // Producer: waits until everything was popped.
  void drain() {
    unsigned spins = 0;
    while (tail_.load(std::memory_order_acquire) != head_.load(std::memory_order_relaxed))
      pause(spins);
  }

 private:
  // Gives the core away after about a millisecond only: on a machine that does something else too,
  // whoever yields gets it back milliseconds later.
  static void pause(unsigned& spins) {
    if (++spins % 65536 != 0)
      __builtin_ia32_pause();
    else
      std::this_thread::yield();
  }

  alignas(128) std::atomic<uint64_t> head_{0};
  uint64_t seen_tail_ = 0;
  unsigned producer_spins_ = 0;
  alignas(128) std::atomic<uint64_t> tail_{0};
  uint64_t seen_head_ = 0;
  unsigned consumer_spins_ = 0;
  alignas(128) std::array<T, N> entries_{};
};

// Pins this thread to the `index`th of the cores.
inline void pin(const cpu_set_t& cores, int index) {
  if (CPU_COUNT(&cores) < 2) return;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &cores) || index-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

// Of the two threads of the workload this is the producer with its consumer. An entry of the ring
// has `PerEntry` blocks; the last entry has none in its first place.
template <class A, class Sizes, size_t PerEntry, size_t Entries>
class Cross {
 public:
  static constexpr bool kAlone = false;
  static constexpr uint64_t kOps = 64'000;
  static constexpr uint32_t kEvery = whole_every(Sizes::kTypical);
  static_assert(kOps % PerEntry == 0);

  Cross() {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    sched_getaffinity(0, sizeof cores, &cores);
    consumer_ = std::thread([this, cores] {
      pin(cores, 1);
      consume();
    });
    pin(cores, 0);
  }

  bool iterate() {
    for (uint64_t i = 0; i < kOps; i += PerEntry) {
      Entry& entry = ring_.claim();
      for (size_t j = 0; j < PerEntry; ++j) {
        const size_t bytes = Sizes::of(static_cast<uint32_t>(random_.next()));
        const uint32_t number = number_++;
        entry[j] = {take<A>(bytes, number % (PerEntry * Entries)), static_cast<uint32_t>(bytes),
                    number};
        fill<Touch::Every>(entry[j], kEvery);
      }
      ring_.publish();
    }
    ring_.drain();
    return ok_ && received_ == number_;
  }

  bool finish() {
    ring_.claim()[0] = {};
    ring_.publish();
    consumer_.join();
    return ok_ && received_ == number_;
  }

 private:
  using Entry = std::array<Block, PerEntry>;

  void consume() {
    [[maybe_unused]] const typename A::Thread thread;
    for (;;) {
      const Entry& entry = ring_.front();
      if (entry[0].memory == nullptr) return;
      for (const Block& block : entry) {
        ok_ &= block.number == received_++ && intact<Touch::Every>(block, kEvery);
        give<A>(block.memory, block.bytes);
      }
      ring_.pop();
    }
  }

  Ring<Entry, Entries> ring_;
  SplitMix random_{3};
  uint32_t number_ = 0;
  // Of the consumer; the producer reads them after drain() or join().
  alignas(128) bool ok_ = true;
  uint32_t received_ = 0;
  std::thread consumer_;
};

}  // namespace bench::mem
