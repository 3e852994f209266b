// SPDX-License-Identifier: Apache-2.0
// synthetic.fanout: rounds of tasks that are started together and awaited together.
//
// Task i of round r has the number n = r * width + i and adds mix(seed, n), mixed `work` times
// more.

#include "kinds/catalog.h"
#include "kinds/synthetic.h"
#include "model/limits.h"
#include "zokio/join.h"

namespace zokiod::kinds {
namespace {

using model::SyntheticFanoutSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;

constexpr uint64_t kRoundsDefault = 100;
constexpr uint32_t kWidthDefault = 64;
constexpr uint32_t kWidthMax = 100'000;
constexpr uint32_t kWorkDefault = 64;
constexpr uint32_t kWorkMax = 1'000'000;

const SyntheticFanoutSpec& spec_of(const model::JobSpec& spec) {
  return std::get<SyntheticFanoutSpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  const SyntheticFanoutSpec& spec = spec_of(job);
  const std::string_view kind = "synthetic_fanout";
  synthetic::above(out, kind, "width", spec.width, kWidthMax);
  synthetic::above(out, kind, "work", spec.work, kWorkMax);
  const uint64_t width = synthetic::or_default(spec.width, kWidthDefault);
  synthetic::above(out, kind, "rounds", spec.rounds, model::kSyntheticTasksMax / width);
}

Task<Result<uint64_t>> one(uint64_t seed, uint64_t number, uint32_t work) {
  if (zokio::cancelled()) co_return zokio::fail(Errc::Cancelled, "synthetic.fanout");
  uint64_t value = mix(seed, number);
  for (uint32_t i = 0; i < work; ++i) value = mix(value);
  co_return value;
}

Task<Result<uint64_t>> rounds_of(JobContext& context, const SyntheticFanoutSpec& spec,
                                 uint64_t rounds, uint32_t width) {
  const uint32_t work = synthetic::or_default(spec.work, kWorkDefault);
  uint64_t sum = 0;
  for (uint64_t round = 0; round < rounds; ++round) {
    std::vector<Task<Result<uint64_t>>> all;
    for (uint32_t i = 0; i < width; ++i) all.push_back(one(spec.seed, round * width + i, work));
    ZOKIO_CO_TRY(const uint64_t part, synthetic::sum_of(co_await zokio::join_all(std::move(all))));
    sum += part;
    context.progress((round + 1) * width, rounds * width);
  }
  co_return sum;
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const SyntheticFanoutSpec& spec = spec_of(context.job().spec);
  const uint64_t rounds = synthetic::or_default(spec.rounds, kRoundsDefault);
  const uint32_t width = synthetic::or_default(spec.width, kWidthDefault);
  const auto sum = co_await rounds_of(context, spec, rounds, width);
  co_return synthetic::conclude(sum, {rounds * width, 0, {}}, "synthetic.fanout", {});
}

}  // namespace

const KindInfo kSyntheticFanout = {.name = SyntheticFanoutSpec::kKind,
                                   .summary = "rounds of tasks started and awaited together",
                                   .allowed = synthetic::allowed,
                                   .validate = validate,
                                   .authorize = synthetic::authorize,
                                   .run = run};

}  // namespace zokiod::kinds
