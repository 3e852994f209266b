// SPDX-License-Identifier: Apache-2.0
// synthetic.spin: computes, and lets others have a turn every kStride steps (about 50 us).
//
// Checksum: the sum of mix(seed, i) for i below `iterations`, however many tasks share them.

#include "kinds/catalog.h"
#include "kinds/synthetic.h"
#include "zokio/join.h"

namespace zokiod::kinds {
namespace {

using model::SyntheticSpinSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;

constexpr uint64_t kIterationsDefault = 10'000'000;
constexpr uint64_t kIterationsMax = 1'000'000'000'000;
constexpr uint32_t kTasksMax = 1024;
constexpr uint64_t kStride = 16 * 1024;

const SyntheticSpinSpec& spec_of(const model::JobSpec& spec) {
  return std::get<SyntheticSpinSpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  synthetic::above(out, "synthetic_spin", "iterations", spec_of(job).iterations, kIterationsMax);
  synthetic::above(out, "synthetic_spin", "tasks", spec_of(job).tasks, kTasksMax);
}

struct Spin {
  uint64_t seed, iterations;
  JobContext* context;
  std::atomic<uint64_t> done{0};
};

Task<Result<uint64_t>> spin(Spin* s, synthetic::Range range) {
  uint64_t sum = 0;
  for (uint64_t i = range.first; i < range.last;) {
    const uint64_t stop = std::min(i + kStride, range.last);
    const uint64_t steps = stop - i;
    for (; i < stop; ++i) sum += mix(s->seed, i);
    if (zokio::cancelled()) co_return zokio::fail(Errc::Cancelled, "synthetic.spin");
    s->context->progress(s->done.fetch_add(steps, std::memory_order_relaxed) + steps,
                         s->iterations);
    co_await zokio::yield_now();
  }
  co_return sum;
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const SyntheticSpinSpec& spec = spec_of(context.job().spec);
  Spin s{spec.seed, synthetic::or_default(spec.iterations, kIterationsDefault), &context};
  const uint32_t tasks = synthetic::or_default(spec.tasks, 1u);
  std::vector<Task<Result<uint64_t>>> all;
  for (uint32_t i = 0; i < tasks; ++i)
    all.push_back(spin(&s, synthetic::part_of(s.iterations, i, tasks)));
  const auto sum = synthetic::sum_of(co_await zokio::join_all(std::move(all)));
  co_return synthetic::conclude(sum, {s.iterations, 0, {}}, "synthetic.spin", {});
}

}  // namespace

const KindInfo kSyntheticSpin = {.name = SyntheticSpinSpec::kKind,
                                 .summary = "computes on one or more workers",
                                 .allowed = synthetic::allowed,
                                 .validate = validate,
                                 .authorize = synthetic::authorize,
                                 .run = run};

}  // namespace zokiod::kinds
