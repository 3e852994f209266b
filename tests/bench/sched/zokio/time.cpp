// SPDX-License-Identifier: Apache-2.0
//
// Timers: a million sleeps that come due, and timeouts that never do.

#include "bench.h"

namespace bench {
namespace {

using zokio::Duration;
using zokio::Instant;
using zokio::Task;

constexpr uint64_t kTimers = 1'000'000;
constexpr uint64_t kTimeouts = 1'000;

struct Timers {
  Tally tally;
  std::atomic<int64_t> latest{0};
};

// The deadline is fixed at the first step, so waiting to be run for the first time is not lateness.
Task<void> sleeper(Timers* timers, uint64_t i, Duration length) {
  const Instant due = Instant::now() + length;
  co_await zokio::sleep_until(due);
  const int64_t late = (Instant::now() - due).count();
  int64_t seen = timers->latest.load(std::memory_order_relaxed);
  while (late > seen && !timers->latest.compare_exchange_weak(seen, late)) {
  }
  timers->tally.add(late >= 0 ? i & 0xfff : 0);
}

Task<void> spawn_sleepers(Timers* timers, uint64_t count) {
  SplitMix random{1};
  for (uint64_t i = 0; i < count; ++i) {
    const auto length = std::chrono::milliseconds(1 + random.next() % 1000);
    zokio::spawn(&sleeper, timers, i, Duration(length)).detach();
  }
  co_return;
}

bool sleep_many(zokio::Runtime& runtime, Timers& timers, uint64_t count) {
  uint64_t expected = 0;
  for (uint64_t i = 0; i < count; ++i) expected += i & 0xfff;
  timers.tally.expect(count);
  runtime.spawn(&spawn_sleepers, &timers, count).detach();
  timers.tally.wait();
  return timers.tally.is(expected);
}

void timers(const Config& config) {
  auto runtime = start(config);
  for (int run = 0; run < config.runs; ++run) {
    Timers timers;
    const int64_t cpu = cpu_ns();
    const bool ok = sleep_many(*runtime, timers, kTimers);
    emit(config, "", static_cast<double>(cpu_ns() - cpu) / kTimers, "ns", ok);
    emit(config, "_late", static_cast<double>(timers.latest.load()), "ns", ok);
  }
}

Task<uint64_t> yields_once(uint64_t i) {
  co_await zokio::yield_now();
  co_return i;
}

Task<uint64_t> timeouts() {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < kTimeouts; ++i)
    sum += (co_await zokio::with_timeout(yields_once(i), std::chrono::seconds(1))).value_or(0);
  co_return sum;
}

void timeout_cancel(const Config& config) {
  auto runtime = start(config);
  measure(config, kTimeouts,
          [&] { return runtime->block_on(&timeouts).value_or(0) == sum_below(kTimeouts); });
}

constexpr Workload kWorkloads[] = {{"timers", &timers}, {"timeout_cancel", &timeout_cancel}};

}  // namespace

std::span<const Workload> time_workloads() {
  return kWorkloads;
}

}  // namespace bench
