// SPDX-License-Identifier: Apache-2.0
// synthetic.spawn: a tree of tasks that fork, work, join, and add up to a sum that is known.
//
// Task i has the children i*fanout+1 .. i*fanout+fanout. Each adds a number made of the seed and
// its index; addition does not care for the order, so any lost or doubled task changes the sum.

#include <fmt/format.h>

#include <atomic>
#include <vector>

#include "kinds/catalog.h"
#include "kinds/mix.h"
#include "kinds/synthetic.h"
#include "model/limits.h"
#include "zokio/join.h"

namespace zokiod::kinds {
namespace {

using model::SyntheticSpawnSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;

constexpr uint64_t kTasksDefault = 1000;
constexpr uint32_t kFanoutDefault = 8;
constexpr uint32_t kFanoutMax = 1024;
constexpr uint32_t kWorkDefault = 64;
constexpr uint32_t kWorkMax = 1'000'000;
// Steps of the checking loop between two looks at the rest of the world.
constexpr uint64_t kCheckStride = 4096;

const SyntheticSpawnSpec& spec_of(const model::JobSpec& spec) {
  return std::get<SyntheticSpawnSpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  const SyntheticSpawnSpec& spec = spec_of(job);
  if (spec.tasks > model::kSyntheticTasksMax)
    out.push_back({"spec.synthetic_spawn.tasks",
                   fmt::format("{} is above {}", spec.tasks, model::kSyntheticTasksMax)});
  if (spec.fanout > kFanoutMax)
    out.push_back(
        {"spec.synthetic_spawn.fanout", fmt::format("{} is above {}", spec.fanout, kFanoutMax)});
  if (spec.work > kWorkMax)
    out.push_back(
        {"spec.synthetic_spawn.work", fmt::format("{} is above {}", spec.work, kWorkMax)});
}

struct Tree {
  uint64_t seed, tasks;
  uint32_t fanout, work;
  JobContext* context;
  std::atomic<uint64_t> done{0};
};

uint64_t contribution(const Tree& tree, uint64_t index) {
  uint64_t value = mix(tree.seed, index);
  for (uint32_t i = 0; i < tree.work; ++i) value = mix(value);
  return value;
}

Task<Result<uint64_t>> node(Tree* tree, uint64_t index) {
  if (zokio::cancelled()) co_return zokio::fail(Errc::Cancelled, "synthetic.spawn");
  uint64_t sum = contribution(*tree, index);
  const uint64_t first = index * tree->fanout + 1;
  std::vector<Task<Result<uint64_t>>> children;
  for (uint64_t i = 0; i < tree->fanout && first + i < tree->tasks; ++i)
    children.push_back(node(tree, first + i));
  if (!children.empty()) {
    const auto sums = co_await zokio::join_all(std::move(children));
    for (const Result<uint64_t>& child : sums) {
      if (!child) co_return zokio::fail(child.error());
      sum += *child;
    }
  }
  const uint64_t done = tree->done.fetch_add(1, std::memory_order_relaxed) + 1;
  tree->context->progress(done, tree->tasks);
  co_return sum;
}

// The same sum by counting. On one task, in steps.
Task<Result<uint64_t>> expected(const Tree& tree) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < tree.tasks; ++i) {
    sum += contribution(tree, i);
    if (i % kCheckStride != kCheckStride - 1) continue;
    if (zokio::cancelled()) co_return zokio::fail(Errc::Cancelled, "synthetic.spawn");
    co_await zokio::yield_now();
  }
  co_return sum;
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const SyntheticSpawnSpec& spec = spec_of(context.job().spec);
  Tree tree{spec.seed, spec.tasks ? spec.tasks : kTasksDefault,
            spec.fanout ? spec.fanout : kFanoutDefault, spec.work ? spec.work : kWorkDefault,
            &context};
  const Result<uint64_t> sum = co_await node(&tree, 0);
  if (!sum) co_return model::refuse(model::make_report(sum.error(), "synthetic.spawn"));
  const Result<uint64_t> want = co_await expected(tree);
  if (!want) co_return model::refuse(model::make_report(want.error(), "synthetic.spawn"));
  if (*sum != *want || tree.done != tree.tasks)
    co_return model::refuse(Errc::DataLoss, "VERIFY_FAILED",
                            fmt::format("{} of {} tasks ended, sum {:016x}, expected {:016x}",
                                        tree.done.load(), tree.tasks, *sum, *want));
  co_return Finished{model::SyntheticResult{tree.tasks, 0, checksum_text(*sum)}, {}};
}

}  // namespace

const KindInfo kSyntheticSpawn = {.name = SyntheticSpawnSpec::kKind,
                                  .summary = "forks and joins a tree of tasks with a known sum",
                                  .allowed = synthetic::allowed,
                                  .validate = validate,
                                  .authorize = synthetic::authorize,
                                  .run = run};

}  // namespace zokiod::kinds
