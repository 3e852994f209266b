// SPDX-License-Identifier: Apache-2.0
// synthetic.timer: many timers with seeded delays at the same time; none may go off early.
//
// Timer i waits mix(seed, i) modulo (delay_max + 1) nanoseconds. Checksum: the sum of
// mix(mix(seed, i), delay of i).

#include "kinds/catalog.h"
#include "kinds/synthetic.h"
#include "zokio/join.h"
#include "zokio/time/sleep.h"

namespace zokiod::kinds {
namespace {

using model::SyntheticTimerSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;

constexpr uint64_t kTimersDefault = 1000;
constexpr uint64_t kTimersMax = 1'000'000;  // each is a task of about 300 bytes
constexpr zokio::Duration kDelayDefault = std::chrono::milliseconds(100);
constexpr zokio::Duration kDelayMax = std::chrono::hours(1);

const SyntheticTimerSpec& spec_of(const model::JobSpec& spec) {
  return std::get<SyntheticTimerSpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  synthetic::above(out, "synthetic_timer", "timers", spec_of(job).timers, kTimersMax);
  if (spec_of(job).delay_max.count() < 0 || spec_of(job).delay_max > kDelayMax)
    out.push_back({"spec.synthetic_timer.delay_max", "not between 0 and 1 hour"});
}

struct Clocks {
  uint64_t seed, timers;
  uint64_t span_ns;  // delays are below it
  JobContext* context;
  std::atomic<uint64_t> done{0};
};

Task<Result<uint64_t>> timer(Clocks* clocks, uint64_t index) {
  const uint64_t random = mix(clocks->seed, index);
  const uint64_t delay = random % clocks->span_ns;
  const zokio::Instant due = zokio::Instant::now() + zokio::Duration(static_cast<int64_t>(delay));
  ZOKIO_CO_CHECKED(co_await zokio::sleep_until(due));
  if (zokio::Instant::now() < due) co_return zokio::fail(Errc::DataLoss, "synthetic.timer");
  clocks->context->progress(clocks->done.fetch_add(1, std::memory_order_relaxed) + 1,
                            clocks->timers);
  co_return mix(random, delay);
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const SyntheticTimerSpec& spec = spec_of(context.job().spec);
  const zokio::Duration most = synthetic::or_default(spec.delay_max, kDelayDefault);
  Clocks clocks{spec.seed, synthetic::or_default(spec.timers, kTimersDefault),
                static_cast<uint64_t>(most.count()) + 1, &context};
  std::vector<Task<Result<uint64_t>>> all;
  for (uint64_t i = 0; i < clocks.timers; ++i) all.push_back(timer(&clocks, i));
  const auto sum = synthetic::sum_of(co_await zokio::join_all(std::move(all)));
  co_return synthetic::conclude(sum, {clocks.timers, 0, {}}, "synthetic.timer",
                                "a timer went off early");
}

}  // namespace

const KindInfo kSyntheticTimer = {.name = SyntheticTimerSpec::kKind,
                                  .summary = "many timers at a time, none of them early",
                                  .allowed = synthetic::allowed,
                                  .validate = validate,
                                  .authorize = synthetic::authorize,
                                  .run = run};

}  // namespace zokiod::kinds
