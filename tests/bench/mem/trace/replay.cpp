// SPDX-License-Identifier: Apache-2.0
//
// Plays a trace of pack.py (without its compression) on the heap, by a thread that has a cache:
//
//   bench_mem_replay FILE POLICY [ROUNDS]     how lots are sized: small, large, growing, tuned
//   bench_mem_replay FILE steady              what is left after a trim
//
// One line of JSON. Thread: one.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "../../sched/harness.h"
#include "mem/lot_policy.h"
#include "mem/thread_cache.h"
#include "zokio/mem/allocate.h"
#include "zokio/mem/pools.h"

namespace {

namespace mem = zokio::mem;

struct Operation {
  uint32_t bytes = 0;  // 0: free
  uint32_t place = 0;
};

struct Trace {
  std::vector<Operation> operations;
  uint32_t places = 0;
};

Trace load(const char* name) {
  std::ifstream file(name, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  Trace trace;
  std::vector<uint32_t> free;
  for (std::size_t at = 0; at < text.size();) {
    uint64_t number = 0;
    for (unsigned shift = 0; at < text.size(); shift += 7) {
      const auto byte = static_cast<uint8_t>(text[at++]);
      number |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) break;
    }
    const auto value = static_cast<uint32_t>(number / 2);
    if (number % 2 == 1) {
      free.push_back(value);
      trace.operations.push_back({0, value});
      continue;
    }
    if (free.empty()) free.push_back(trace.places++);
    trace.operations.push_back({value, free.back()});
    free.pop_back();
  }
  return trace;
}

// Blocks are touched where a program touches them first, and keep their place's number.
class Player {
 public:
  explicit Player(const Trace& trace) : trace_(trace), blocks_(trace.places) {}

  void play(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      const Operation op = trace_.operations[i];
      void*& block = blocks_[op.place];
      if (op.bytes != 0) {
        block = mem::allocate(op.bytes);
        if (block == nullptr) std::abort();
        *static_cast<volatile uint8_t*>(block) = static_cast<uint8_t>(op.place);
      } else {
        if (*static_cast<volatile uint8_t*>(block) != static_cast<uint8_t>(op.place)) std::abort();
        mem::deallocate(block);
        block = nullptr;
      }
    }
  }
  void free_all() {
    for (void*& block : blocks_) mem::deallocate(std::exchange(block, nullptr));
  }
  // What the first `operations` of the trace leave allocated.
  uint64_t requested(std::size_t operations) const {
    std::vector<uint32_t> bytes(trace_.places);
    for (std::size_t i = 0; i < operations; ++i)
      bytes[trace_.operations[i].place] = trace_.operations[i].bytes;
    return std::accumulate(bytes.begin(), bytes.end(), uint64_t{0});
  }
  std::size_t size() const { return trace_.operations.size(); }

 private:
  const Trace& trace_;
  std::vector<void*> blocks_;
};

class Cached {
 public:
  Cached() { mem::set_current_cache(cache_); }
  ~Cached() { mem::release_thread_cache(cache_); }
  Cached(const Cached&) = delete;
  Cached& operator=(const Cached&) = delete;

  uint64_t bytes() const {
    uint64_t bytes = 0;
    for (unsigned cls = 0; cls < mem::kClasses; ++cls) {
      const mem::Magazine& m = cache_->magazine(static_cast<unsigned>(mem::PoolId::Heap), cls);
      bytes += (m.count() + m.spare.count) * mem::class_bytes(cls);
    }
    return bytes;
  }

 private:
  mem::ThreadCache* cache_ = mem::acquire_thread_cache();
};

mem::LotPolicy policy_of(std::string_view name) {
  if (name == "small") return {.begin = 16, .growth_bytes = 0, .tuned = false};
  if (name == "large") return {.begin = 4096, .growth_bytes = 0, .tuned = false};
  if (name == "growing") return {.tuned = false};
  if (name == "tuned") return {.tuned = true};
  std::fprintf(stderr, "no such policy\n");
  std::exit(2);
}

int compare(const Trace& trace, const char* policy, int rounds) {
  mem::lot_policy = policy_of(policy);
  mem::trim();  // an epoch: caches take the policy
  Cached cached;
  Player player(trace);
  double best = 1e9;
  uint64_t locks = 0;
  for (int round = 0; round < rounds; ++round) {
    const uint64_t before = mem::snapshot(mem::PoolId::Heap).central_locks;
    const int64_t began = bench::now_ns();
    player.play(0, player.size());
    player.free_all();
    best = std::min(best, static_cast<double>(bench::now_ns() - began));
    locks = mem::snapshot(mem::PoolId::Heap).central_locks - before;
  }
  constexpr std::size_t kLooks = 64;
  uint64_t sum = 0;
  uint64_t most = 0;
  for (std::size_t i = 0; i < kLooks; ++i) {
    player.play(player.size() * i / kLooks, player.size() * (i + 1) / kLooks);
    sum += cached.bytes();
    most = std::max(most, cached.bytes());
  }
  player.free_all();
  const auto operations = static_cast<double>(player.size());
  std::printf(
      "{\"policy\": \"%s\", \"ns\": %.2f, \"locks_per_1000\": %.3f, \"cached_mean\": %.0f, "
      "\"cached_most\": %.0f, \"high_water\": %.0f}\n",
      policy, best / operations, 1000 * static_cast<double>(locks) / operations,
      static_cast<double>(sum) / kLooks, static_cast<double>(most),
      static_cast<double>(mem::snapshot(mem::PoolId::Heap).high_water_bytes));
  return 0;
}

// Blocks of the trace's sizes, as often as it asks for them.
class Churn {
 public:
  Churn(const Trace& trace, std::size_t live) : blocks_(live) {
    for (const Operation op : trace.operations) {
      if (op.bytes != 0) sizes_.push_back(op.bytes);
    }
    for (Block& block : blocks_) put(block);
  }
  ~Churn() { thin(0); }
  Churn(const Churn&) = delete;
  Churn& operator=(const Churn&) = delete;

  void replace(std::size_t times) {
    for (std::size_t i = 0; i < times; ++i) {
      Block& block = blocks_[random_.next() % blocks_.size()];
      mem::deallocate(block.memory);
      put(block);
    }
  }
  // Frees all but one in `keep`, taken at random; all for 0.
  void thin(unsigned keep) {
    for (Block& block : blocks_) {
      if (keep != 0 && random_.next() % keep == 0) continue;
      mem::deallocate(std::exchange(block, {}).memory);
    }
  }
  uint64_t requested() const {
    return std::accumulate(blocks_.begin(), blocks_.end(), uint64_t{0},
                           [](uint64_t sum, const Block& b) { return sum + b.bytes; });
  }

 private:
  struct Block {
    void* memory = nullptr;
    uint32_t bytes = 0;
  };
  void put(Block& block) {
    const uint32_t bytes = sizes_[random_.next() % sizes_.size()];
    block = {mem::allocate(bytes), bytes};
    if (block.memory == nullptr) std::abort();
  }

  std::vector<Block> blocks_;
  std::vector<uint32_t> sizes_;
  bench::SplitMix random_{23};
};

// The least of the classes that had enough requests to speak of.
struct Least {
  double rate = 1;
  uint64_t block_bytes = 0;

  void see(double value, uint64_t bytes) {
    if (value < rate) *this = {value, bytes};
  }
};

// What there is for `requested` bytes after a trim: two ways to count what is lost, and how well
// the pool knows what was asked for.
void print_trimmed(const char* name, uint64_t requested) {
  mem::trim();
  const zokio::PoolSnapshot s = mem::snapshot(mem::PoolId::Heap);
  const uint64_t useful = requested + s.cached_bytes - s.stranded_bytes;
  std::printf(
      "\"%s\": {\"fragmentation\": %.4f, \"with_rounding\": %.4f, \"estimate\": %.4f, "
      "\"requested\": %.0f}, ",
      name, s.fragmentation(),
      1 - static_cast<double>(useful) / static_cast<double>(s.committed_bytes),
      static_cast<double>(s.requested_bytes) / static_cast<double>(requested),
      static_cast<double>(requested));
}

int steady(const Trace& trace) {
  constexpr std::size_t kLive = 200'000;
  constexpr uint64_t kEnough = 10'000;
  Cached cached;
  Churn churn(trace, kLive);
  const zokio::PoolSnapshot before = mem::snapshot(mem::PoolId::Heap);
  churn.replace(10 * kLive);
  const zokio::PoolSnapshot after = mem::snapshot(mem::PoolId::Heap);
  Least hit;
  Least reuse;
  for (const zokio::ClassSnapshot& each : after.classes) {
    zokio::ClassSnapshot past;
    for (const zokio::ClassSnapshot& c : before.classes) {
      if (c.block_bytes == each.block_bytes) past = c;
    }
    zokio::ClassSnapshot run;
    run.hits_thread = each.hits_thread - past.hits_thread;
    run.hits_shared = each.hits_shared - past.hits_shared;
    run.misses_os = each.misses_os - past.misses_os;
    if (run.hits_thread + run.hits_shared + run.misses_os < kEnough) continue;
    hit.see(run.hit_rate(), each.block_bytes);
    reuse.see(run.reuse_rate(), each.block_bytes);
  }
  std::printf("{");
  print_trimmed("churned", churn.requested());
  churn.thin(10);
  print_trimmed("thinned", churn.requested());
  churn.thin(0);
  mem::trim();
  Player player(trace);
  for (int round = 0; round < 3; ++round) {
    player.play(0, player.size());
    player.free_all();
  }
  player.play(0, player.size() / 2);
  print_trimmed("played", player.requested(player.size() / 2));
  player.free_all();
  std::printf(
      "\"hit\": %.4f, \"hit_block\": %.0f, \"reuse\": %.4f, \"reuse_block\": %.0f, "
      "\"p50_ns\": %.0f, \"p99_ns\": %.0f}\n",
      hit.rate, static_cast<double>(hit.block_bytes), reuse.rate,
      static_cast<double>(reuse.block_bytes), static_cast<double>(after.allocation_ns(0.5)),
      static_cast<double>(after.allocation_ns(0.99)));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "bench_mem_replay FILE small|large|growing|tuned|steady [ROUNDS]\n");
    return 2;
  }
  const Trace trace = load(argv[1]);
  if (trace.operations.empty()) {
    std::fprintf(stderr, "%s: no trace\n", argv[1]);
    return 1;
  }
  if (std::string_view(argv[2]) == "steady") return steady(trace);
  return compare(trace, argv[2], argc > 3 ? std::atoi(argv[3]) : 5);
}
