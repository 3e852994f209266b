// SPDX-License-Identifier: Apache-2.0
//
// Fork and join, by the runtime's own.

#include "../queens.h"
#include "bench.h"

namespace bench {
namespace {

using zokio::Branches;
using zokio::Task;

Task<uint64_t> fib(unsigned n) {
  if (n < 2) co_return n;
  auto [left, right] = co_await zokio::fork(fib(n - 1), fib(n - 2));
  co_return left + right;
}

Task<uint64_t> skynet(uint64_t first, uint64_t leaves) {
  if (leaves == 1) co_return first;
  const uint64_t each = leaves / 10;
  Branches<uint64_t, 10> branches;
  for (uint64_t i = 0; i < 10; ++i) branches.add(skynet(first + i * each, each));
  co_await branches.join();
  uint64_t sum = 0;
  for (unsigned i = 0; i < 10; ++i) sum += branches[i];
  co_return sum;
}

Task<uint64_t> queens(Board board) {
  if (board.full()) co_return 1;
  Branches<uint64_t, kQueens> branches;
  for (unsigned column = 0; column < kQueens; ++column)
    if (board.free(column)) branches.add(queens(board.with(column)));
  co_await branches.join();
  uint64_t found = 0;
  for (unsigned i = 0; i < branches.size(); ++i) found += branches[i];
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
