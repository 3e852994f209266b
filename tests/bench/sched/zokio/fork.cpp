// SPDX-License-Identifier: Apache-2.0
//
// Fork and join: a branch is a task with a handle, the last one is called where it stands.

#include <array>

#include "../queens.h"
#include "bench.h"

namespace bench {
namespace {

using zokio::JoinHandle;
using zokio::Task;

Task<uint64_t> fib(unsigned n) {
  if (n < 2) co_return n;
  auto left = zokio::spawn(&fib, n - 1);
  const uint64_t right = co_await fib(n - 2);
  co_return right + (co_await left).value_or(0);
}

Task<uint64_t> skynet(uint64_t first, uint64_t leaves) {
  if (leaves == 1) co_return first;
  const uint64_t each = leaves / 10;
  std::array<JoinHandle<uint64_t>, 9> children;
  for (uint64_t i = 0; i < 9; ++i) children[i] = zokio::spawn(&skynet, first + i * each, each);
  uint64_t sum = co_await skynet(first + 9 * each, each);
  for (auto& child : children) sum += (co_await child).value_or(0);
  co_return sum;
}

Task<uint64_t> queens(Board board) {
  if (board.full()) co_return 1;
  std::array<JoinHandle<uint64_t>, kQueens> children;
  unsigned count = 0;
  for (unsigned column = 0; column < kQueens; ++column)
    if (board.free(column)) children[count++] = zokio::spawn(&queens, board.with(column));
  uint64_t found = 0;
  for (unsigned i = 0; i < count; ++i) found += (co_await children[i]).value_or(0);
  co_return found;
}

void run_fib(const Config& config) {
  auto runtime = start(config);
  measure_whole(config,
                [&] { return runtime->block_on(&fib, kForkFib).value_or(0) == kForkFibValue; });
}

void run_skynet(const Config& config) {
  auto runtime = start(config);
  measure_whole(config, [&] {
    return runtime->block_on(&skynet, uint64_t{0}, kForkLeaves).value_or(0) ==
           sum_below(kForkLeaves);
  });
}

void run_queens(const Config& config) {
  auto runtime = start(config);
  measure_whole(
      config, [&] { return runtime->block_on(&queens, Board{}).value_or(0) == kQueensSolutions; });
}

constexpr Workload kWorkloads[] = {
    {"fib", &run_fib}, {"skynet", &run_skynet}, {"nqueens", &run_queens}};

}  // namespace

std::span<const Workload> fork_workloads() {
  return kWorkloads;
}

}  // namespace bench
