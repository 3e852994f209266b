// SPDX-License-Identifier: Apache-2.0
//
// Trees of tasks with handles, chains of tasks, and the plain call.

#include <array>

#include "bench.h"

namespace bench {
namespace {

using zokio::JoinHandle;
using zokio::Task;

constexpr uint64_t kFib = 20;
constexpr uint64_t kLeaves = 100'000;
constexpr uint64_t kDepth = 10'000;
constexpr uint64_t kCalls = 100'000;

uint64_t serial_fib(uint64_t n) {
  uint64_t a = 0, b = 1;
  for (; n > 0; --n) b = std::exchange(a, b) + b;
  return a;
}

// Calls of the recursion, each of them a task.
uint64_t fib_calls(uint64_t n) {
  return 2 * serial_fib(n + 1) - 1;
}

Task<uint64_t> fib(uint64_t n) {
  if (n < 2) co_return n;
  auto a = zokio::spawn(&fib, n - 1);
  auto b = zokio::spawn(&fib, n - 2);
  const uint64_t left = (co_await a).value_or(0);
  co_return left + (co_await b).value_or(0);
}

// Leaves `first` to `first + leaves - 1`, ten ways.
Task<uint64_t> skynet(uint64_t first, uint64_t leaves) {
  if (leaves == 1) co_return first;
  std::array<JoinHandle<uint64_t>, 10> children;
  const uint64_t each = leaves / 10;
  for (uint64_t i = 0; i < 10; ++i) children[i] = zokio::spawn(&skynet, first + i * each, each);
  uint64_t sum = 0;
  for (auto& child : children) sum += (co_await child).value_or(0);
  co_return sum;
}

constexpr uint64_t skynet_tasks_of(uint64_t leaves) {
  return leaves == 1 ? 1 : 1 + 10 * skynet_tasks_of(leaves / 10);
}

void fib_tasks(const Config& config) {
  auto runtime = start(config);
  measure(config, fib_calls(kFib),
          [&] { return runtime->block_on(&fib, kFib).value_or(0) == serial_fib(kFib); });
}

void skynet_tasks(const Config& config) {
  auto runtime = start(config);
  measure(config, skynet_tasks_of(kLeaves), [&] {
    return runtime->block_on(&skynet, uint64_t{0}, uint64_t{kLeaves}).value_or(0) ==
           sum_below(kLeaves);
  });
}

Task<void> chain(Tally* tally, uint64_t left) {
  if (left > 0) zokio::spawn(&chain, tally, left - 1).detach();
  tally->add(left);
  co_return;
}

void chained_spawn(const Config& config) {
  auto runtime = start(config);
  Tally tally;
  measure(config, kDepth, [&] {
    tally.expect(kDepth);
    runtime->spawn(&chain, &tally, kDepth - 1).detach();
    tally.wait();
    return tally.is(sum_below(kDepth));
  });
}

Task<uint64_t> leaf(uint64_t i) {
  co_return i;
}

Task<uint64_t> call_leaves() {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < kCalls; ++i) {
    sum += co_await leaf(i);
    opaque(sum);
  }
  co_return sum;
}

void call_await(const Config& config) {
  auto runtime = start(config);
  measure(config, kCalls,
          [&] { return runtime->block_on(&call_leaves).value_or(0) == sum_below(kCalls); });
}

constexpr Workload kWorkloads[] = {{"fib_tasks", &fib_tasks},
                                   {"skynet_tasks", &skynet_tasks},
                                   {"chained_spawn", &chained_spawn},
                                   {"call_await", &call_await}};

}  // namespace

std::span<const Workload> tree_workloads() {
  return kWorkloads;
}

}  // namespace bench
