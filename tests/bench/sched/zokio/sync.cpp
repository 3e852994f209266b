// SPDX-License-Identifier: Apache-2.0
//
// Synchronisation: one task that never waits, tasks that pass a turn, tasks that contend.

#include <zokio/sync/oneshot.h>
#include <zokio/sync/semaphore.h>

#include "bench.h"

namespace bench {
namespace {

using zokio::Task;

constexpr uint64_t kOps = 100'000;

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

constexpr Workload kWorkloads[] = {{"oneshot", &oneshot}, {"semaphore", &semaphore}};

}  // namespace

std::span<const Workload> sync_workloads() {
  return kWorkloads;
}

}  // namespace bench
