// SPDX-License-Identifier: Apache-2.0
//
// Spawning: from outside, from a worker, detached, joined, into an idle and into a busy runtime.

#include "bench.h"

namespace bench {
namespace {

using zokio::JoinHandle;
using zokio::Runtime;
using zokio::Task;

constexpr uint64_t kTasks = 10'000;

Task<void> count(Tally* tally, uint64_t i) {
  tally->add(i);
  co_return;
}

Task<uint64_t> number(uint64_t i) {
  co_return i;
}

Task<void> spawn_counts(Tally* tally) {
  for (uint64_t i = 0; i < kTasks; ++i) zokio::spawn(&count, tally, i).detach();
  co_return;
}

Task<uint64_t> join_all(std::vector<JoinHandle<uint64_t>>* handles) {
  uint64_t sum = 0;
  for (auto& handle : *handles) sum += (co_await handle).value_or(0);
  co_return sum;
}

Task<uint64_t> spawn_and_join(std::vector<JoinHandle<uint64_t>>* handles) {
  handles->clear();
  for (uint64_t i = 0; i < kTasks; ++i) handles->push_back(zokio::spawn(&number, i));
  uint64_t sum = 0;
  for (auto& handle : *handles) sum += (co_await handle).value_or(0);
  co_return sum;
}

Task<uint64_t> spawn_and_await_each() {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < kTasks; ++i) sum += (co_await zokio::spawn(&number, i)).value_or(0);
  co_return sum;
}

void spawn_many_local(const Config& config) {
  auto runtime = start(config);
  Tally tally;
  measure(config, kTasks, [&] {
    tally.expect(kTasks);
    for (uint64_t i = 0; i < kTasks; ++i) runtime->spawn(&count, &tally, i).detach();
    tally.wait();
    return tally.is(sum_below(kTasks));
  });
}

void spawn_many_worker(const Config& config) {
  auto runtime = start(config);
  Tally tally;
  measure(config, kTasks, [&] {
    tally.expect(kTasks);
    runtime->spawn(&spawn_counts, &tally).detach();
    tally.wait();
    return tally.is(sum_below(kTasks));
  });
}

void spawn_join(const Config& config) {
  auto runtime = start(config);
  std::vector<JoinHandle<uint64_t>> handles;
  handles.reserve(kTasks);
  measure(config, kTasks, [&] {
    return runtime->block_on(&spawn_and_join, &handles).value_or(0) == sum_below(kTasks);
  });
}

void spawn_await_seq(const Config& config) {
  auto runtime = start(config);
  measure(config, kTasks, [&] {
    return runtime->block_on(&spawn_and_await_each).value_or(0) == sum_below(kTasks);
  });
}

bool spawn_from_outside(Runtime& runtime, std::vector<JoinHandle<uint64_t>>& handles) {
  handles.clear();
  for (uint64_t i = 0; i < kTasks; ++i) handles.push_back(runtime.spawn(&number, i));
  return runtime.block_on(&join_all, &handles).value_or(0) == sum_below(kTasks);
}

void spawn_remote_idle(const Config& config) {
  auto runtime = start(config);
  std::vector<JoinHandle<uint64_t>> handles;
  handles.reserve(kTasks);
  measure(config, kTasks, [&] { return spawn_from_outside(*runtime, handles); });
}

Task<uint64_t> keep_busy(std::atomic<bool>* stop) {
  uint64_t turns = 0;
  while (!stop->load(std::memory_order_relaxed)) {
    const int64_t until = now_ns() + 10'000;
    while (now_ns() < until) {
    }
    ++turns;
    co_await zokio::yield_now();
  }
  co_return turns;
}

void spawn_remote_busy(const Config& config) {
  auto runtime = start(config);
  std::vector<JoinHandle<uint64_t>> handles, busy;
  handles.reserve(kTasks);
  std::atomic<bool> stop{false};
  for (unsigned i = 0; i < std::max(1u, config.workers / 2); ++i)
    busy.push_back(runtime->spawn(&keep_busy, &stop));
  measure(config, kTasks, [&] { return spawn_from_outside(*runtime, handles); });
  stop.store(true);
  if (runtime->block_on(&join_all, &busy).value_or(0) == 0) all_ok() = false;
}

void remote_roundtrip(const Config& config) {
  auto runtime = start(config);
  measure(config, 1, [&, i = uint64_t{0}]() mutable {
    ++i;
    return runtime->block_on(&number, i).value_or(0) == i;
  });
}

constexpr Workload kWorkloads[] = {
    {"spawn_many_local", &spawn_many_local},
    {"spawn_many_worker", &spawn_many_worker},
    {"spawn_join", &spawn_join},
    {"spawn_await_seq", &spawn_await_seq},
    {"spawn_remote_idle", &spawn_remote_idle},
    {"spawn_remote_busy", &spawn_remote_busy},
    {"remote_roundtrip", &remote_roundtrip},
};

}  // namespace

std::span<const Workload> spawn_workloads() {
  return kWorkloads;
}

}  // namespace bench
