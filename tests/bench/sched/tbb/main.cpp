// SPDX-License-Identifier: Apache-2.0
//
// oneTBB: fork and join by task_group, the last branch called and not forked, as its own examples
// do; spawning into an arena from outside and from one of its threads.

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <array>

#include "../harness.h"
#include "../queens.h"

namespace {

using bench::Config;
using bench::measure;
using bench::sum_below;
using bench::Tally;
namespace tbb = oneapi::tbb;

constexpr uint64_t kTasks = 10'000;

uint64_t fib(unsigned n) {
  if (n < 2) return n;
  uint64_t a = 0;
  tbb::task_group group;
  group.run([&a, n] { a = fib(n - 1); });
  const uint64_t b = fib(n - 2);
  group.wait();
  return a + b;
}

uint64_t skynet(uint64_t first, uint64_t leaves) {
  if (leaves == 1) return first;
  std::array<uint64_t, 10> sums{};
  const uint64_t each = leaves / 10;
  tbb::task_group group;
  for (uint64_t i = 0; i < 9; ++i)
    group.run([&sums, first, each, i] { sums[i] = skynet(first + i * each, each); });
  sums[9] = skynet(first + 9 * each, each);
  group.wait();
  uint64_t sum = 0;
  for (uint64_t s : sums) sum += s;
  return sum;
}

uint64_t queens(bench::Board board) {
  if (board.full()) return 1;
  std::array<uint64_t, bench::kQueens> found{};
  tbb::task_group group;
  for (unsigned column = 0; column < bench::kQueens; ++column)
    if (board.free(column))
      group.run([&found, board, column] { found[column] = queens(board.with(column)); });
  group.wait();
  uint64_t sum = 0;
  for (uint64_t f : found) sum += f;
  return sum;
}

// The outside thread is one of the workers here, as is usual with oneTBB.
template <class F>
void fork_join(const Config& config, F solve) {
  tbb::global_control control(tbb::global_control::max_allowed_parallelism, config.workers);
  tbb::task_arena arena(static_cast<int>(config.workers));
  bench::measure_whole(config, [&] { return arena.execute(solve); });
}

void run_fib(const Config& config) {
  fork_join(config, [] { return fib(bench::kForkFib) == bench::kForkFibValue; });
}
void run_skynet(const Config& config) {
  fork_join(config, [] { return skynet(0, bench::kForkLeaves) == sum_below(bench::kForkLeaves); });
}
void run_queens(const Config& config) {
  fork_join(config, [] { return queens({}) == bench::kQueensSolutions; });
}

void spawn_many_local(const Config& config) {
  tbb::global_control control(tbb::global_control::max_allowed_parallelism, config.workers + 1);
  tbb::task_arena arena(static_cast<int>(config.workers), 0);
  Tally tally;
  measure(config, kTasks, [&] {
    tally.expect(kTasks);
    for (uint64_t i = 0; i < kTasks; ++i) arena.enqueue([&tally, i] { tally.add(i); });
    tally.wait();
    return tally.is(sum_below(kTasks));
  });
}

void spawn_join(const Config& config) {
  tbb::global_control control(tbb::global_control::max_allowed_parallelism, config.workers + 1);
  tbb::task_arena arena(static_cast<int>(config.workers), 0);
  Tally tally, all;
  measure(config, kTasks, [&] {
    tally.expect(kTasks);
    all.expect(1);
    arena.enqueue([&] {
      tbb::task_group group;
      for (uint64_t i = 0; i < kTasks; ++i) group.run([&tally, i] { tally.add(i); });
      group.wait();
      all.add(1);
    });
    all.wait();
    tally.wait();
    return tally.is(sum_below(kTasks)) && all.is(1);
  });
}

constexpr bench::Workload kWorkloads[] = {
    {"control", &bench::control}, {"fib", &run_fib},
    {"skynet", &run_skynet},      {"nqueens", &run_queens},
    {"spawn_join", &spawn_join},  {"spawn_many_local", &spawn_many_local}};

}  // namespace

int main(int argc, char** argv) {
  return bench::main_of(argc, argv, kWorkloads);
}
