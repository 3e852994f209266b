// SPDX-License-Identifier: Apache-2.0
//
// Synchronisation: one task that never waits, tasks that pass a turn, tasks that contend.

#include <zokio/sync/mutex.h>
#include <zokio/sync/notify.h>
#include <zokio/sync/oneshot.h>
#include <zokio/sync/semaphore.h>

#include <array>

#include "bench.h"

namespace bench {
namespace {

using zokio::Task;

constexpr uint64_t kOps = 100'000;
constexpr uint64_t kRounds = 10'000;
constexpr uint64_t kContenders = 4;
constexpr uint64_t kEach = 25'000;

Task<uint64_t> oneshots() {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < kOps; ++i) {
    auto [sender, receiver] = zokio::sync::oneshot<uint64_t>();
    sender.send(i);
    sum += (co_await receiver.recv()).value_or(0);
  }
  co_return sum;
}

void oneshot(const Config& config) {
  auto runtime = start(config);
  measure(config, kOps,
          [&] { return runtime->block_on(&oneshots).value_or(0) == sum_below(kOps); });
}

Task<uint64_t> permits(zokio::sync::Semaphore* semaphore) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < kOps; ++i) {
    auto permit = co_await semaphore->acquire();
    if (permit) sum += i;
  }
  co_return sum;
}

void semaphore(const Config& config) {
  auto runtime = start(config);
  zokio::sync::Semaphore one(1);
  measure(config, kOps,
          [&] { return runtime->block_on(&permits, &one).value_or(0) == sum_below(kOps); });
}

struct Counter {
  zokio::sync::Mutex mutex;
  uint64_t sum = 0;  // guarded by mutex
};

Task<void> add_under(Counter* counter, uint64_t times) {
  for (uint64_t i = 0; i < times; ++i) {
    auto guard = co_await counter->mutex.lock();
    if (guard) counter->sum += i;
  }
}

void mutex(const Config& config) {
  auto runtime = start(config);
  measure(config, kOps, [&] {
    Counter counter;
    return runtime->block_on(&add_under, &counter, uint64_t{kOps}).has_value() &&
           counter.sum == sum_below(kOps);
  });
}

Task<void> contend(Counter* counter) {
  std::array<zokio::JoinHandle<void>, kContenders> tasks;
  for (auto& task : tasks) task = zokio::spawn(&add_under, counter, kEach);
  for (auto& task : tasks) co_await task;
}

void mutex_4tasks(const Config& config) {
  auto runtime = start(config);
  measure(config, kContenders * kEach, [&] {
    Counter counter;
    return runtime->block_on(&contend, &counter).has_value() &&
           counter.sum == kContenders * sum_below(kEach);
  });
}

Task<uint64_t> answer(zokio::sync::Notify* ping, zokio::sync::Notify* pong) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < kRounds; ++i) {
    const auto woken = co_await ping->wait();
    if (woken) sum += i;
    pong->notify_one();
  }
  co_return sum;
}

Task<uint64_t> rounds() {
  zokio::sync::Notify ping, pong;
  auto other = zokio::spawn(&answer, &ping, &pong);
  uint64_t sum = 0;
  for (uint64_t i = 0; i < kRounds; ++i) {
    ping.notify_one();
    const auto woken = co_await pong.wait();
    if (woken) sum += i;
  }
  co_return sum + (co_await other).value_or(0);
}

void notify(const Config& config) {
  auto runtime = start(config);
  measure(config, kRounds,
          [&] { return runtime->block_on(&rounds).value_or(0) == 2 * sum_below(kRounds); });
}

constexpr Workload kWorkloads[] = {{"oneshot", &oneshot},
                                   {"semaphore", &semaphore},
                                   {"mutex", &mutex},
                                   {"mutex_4tasks", &mutex_4tasks},
                                   {"notify", &notify}};

}  // namespace

std::span<const Workload> sync_workloads() {
  return kWorkloads;
}

}  // namespace bench
