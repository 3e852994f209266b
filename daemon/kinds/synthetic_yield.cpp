// SPDX-License-Identifier: Apache-2.0
// synthetic.yield: tasks that give up the worker again and again: switches and little else.
//
// Checksum: the sum of mix(seed, i) for i below tasks * yields.

#include "kinds/catalog.h"
#include "kinds/synthetic.h"
#include "model/limits.h"
#include "zokio/join.h"

namespace zokiod::kinds {
namespace {

using model::SyntheticYieldSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;

constexpr uint32_t kTasksDefault = 16;
constexpr uint32_t kTasksMax = 100'000;
constexpr uint64_t kYieldsDefault = 1000;
// Turns between two looks at the rest of the world.
constexpr uint64_t kCheckStride = 64;

const SyntheticYieldSpec& spec_of(const model::JobSpec& spec) {
  return std::get<SyntheticYieldSpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  synthetic::above(out, "synthetic_yield", "tasks", spec_of(job).tasks, kTasksMax);
  synthetic::above(out, "synthetic_yield", "yields", spec_of(job).yields,
                   model::kSyntheticOperationsMax);
}

struct Storm {
  uint64_t seed, yields, total;
  JobContext* context;
  std::atomic<uint64_t> done{0};
};

Task<Result<uint64_t>> yielder(Storm* storm, uint64_t task) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < storm->yields; ++i) {
    sum += mix(storm->seed, task * storm->yields + i);
    co_await zokio::yield_now();
    if (i % kCheckStride != kCheckStride - 1) continue;
    if (zokio::cancelled()) co_return zokio::fail(Errc::Cancelled, "synthetic.yield");
    const uint64_t done = storm->done.fetch_add(kCheckStride, std::memory_order_relaxed);
    storm->context->progress(done + kCheckStride, storm->total);
  }
  co_return sum;
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const SyntheticYieldSpec& spec = spec_of(context.job().spec);
  const uint32_t tasks = synthetic::or_default(spec.tasks, kTasksDefault);
  Storm storm{spec.seed, synthetic::or_default(spec.yields, kYieldsDefault), 0, &context};
  storm.total = tasks * storm.yields;
  std::vector<Task<Result<uint64_t>>> all;
  for (uint32_t i = 0; i < tasks; ++i) all.push_back(yielder(&storm, i));
  const auto sum = synthetic::sum_of(co_await zokio::join_all(std::move(all)));
  co_return synthetic::conclude(sum, {storm.total, 0, {}}, "synthetic.yield", {});
}

}  // namespace

const KindInfo kSyntheticYield = {.name = SyntheticYieldSpec::kKind,
                                  .summary = "tasks that give up the worker again and again",
                                  .allowed = synthetic::allowed,
                                  .validate = validate,
                                  .authorize = synthetic::authorize,
                                  .run = run};

}  // namespace zokiod::kinds
