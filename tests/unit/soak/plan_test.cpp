// SPDX-License-Identifier: Apache-2.0

#include "soak/plan.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <set>

namespace zokiod::soak {
namespace {

Situation situation() {
  return {.baseline = {.workers = 2, .reactors = 2}, .cores = 2, .checksum_dir = {}};
}

Plan plan_of(StartRequest request) {
  auto plan = make_plan(request, situation());
  EXPECT_TRUE(plan.has_value());
  return *plan;
}

TEST(Plan, SmokeIsTenMinutes) {
  const Plan plan = plan_of({.profile = {}, .seed = 1, .inject = {}});
  EXPECT_EQ(plan.duration_s, 600);
  EXPECT_EQ(plan.warmup_s, 120);
  EXPECT_EQ(plan.profile, "smoke");
  EXPECT_GE(plan.resizes.size(), 30u);
}

TEST(Plan, SameSeedSameJobsAndResizes) {
  const Plan a = plan_of({.profile = {}, .seed = 5, .inject = {}});
  const Plan b = plan_of({.profile = {}, .seed = 5, .inject = {}});
  const Plan other = plan_of({.profile = {}, .seed = 6, .inject = {}});
  bool differs = false;
  for (uint64_t n = 0; n < 500; ++n) {
    EXPECT_EQ(job_at(a, n), job_at(b, n));
    differs |= job_at(a, n) != job_at(other, n);
  }
  EXPECT_TRUE(differs);
  ASSERT_EQ(a.resizes.size(), b.resizes.size());
  for (size_t i = 0; i < a.resizes.size(); ++i) EXPECT_EQ(a.resizes[i].sizes, b.resizes[i].sizes);
}

TEST(Plan, ResizesLeaveTheBaselineAndComeBack) {
  const Plan plan = plan_of({.profile = {}, .seed = 9, .inject = {}});
  for (size_t i = 0; i < plan.resizes.size(); ++i) {
    const ResizeStep& step = plan.resizes[i];
    EXPECT_EQ(step.baseline, i % 2 == 1);
    if (step.baseline) EXPECT_EQ(step.sizes, situation().baseline);
    EXPECT_GE(step.sizes.workers, 1u);
    EXPECT_LE(step.sizes.workers, 8u);
    EXPECT_GE(step.sizes.reactors, 1u);
    EXPECT_LE(step.sizes.reactors, 4u);
    EXPECT_LT(step.at_s, plan.duration_s);
  }
}

TEST(Plan, LimitThatAnOperatorSetIsOnlyLoweredALittle) {
  Situation s = situation();
  s.baseline.buffers_limit = 64 << 20;
  const auto plan = make_plan({.profile = {}, .seed = 9, .inject = {}}, s);
  for (const ResizeStep& step : plan->resizes) {
    EXPECT_LE(step.sizes.buffers_limit, 64u << 20);
    EXPECT_GE(step.sizes.buffers_limit, (56u << 20) - 4096);
  }
}

TEST(Plan, MixIsOfEveryKindThatIsAllowed) {
  Plan plan = plan_of({.profile = {}, .seed = 3, .inject = {}});
  std::map<std::string_view, int> kinds;
  for (uint64_t n = 0; n < 2000; ++n) ++kinds[job_at(plan, n).kind()];
  EXPECT_EQ(kinds.size(), 3u);
  plan.with_exec = true;
  plan.checksum_dir = "/srv/tree";
  kinds.clear();
  for (uint64_t n = 0; n < 2000; ++n) ++kinds[job_at(plan, n).kind()];
  EXPECT_EQ(kinds.size(), 5u);
  for (const auto& [kind, count] : kinds) EXPECT_GT(count, 40) << kind;
}

TEST(Plan, FillersAreTheSameMixWithLessWork) {
  const Plan plan = plan_of({.profile = {}, .seed = 3, .inject = {}});
  for (uint64_t n = 0; n < 500; ++n) {
    const model::JobSpec filler = filler_at(plan, n);
    EXPECT_EQ(filler.kind(), job_at(plan, n).kind());
    EXPECT_NE(filler, job_at(plan, n));
  }
}

TEST(Plan, EqualSpecsComeAgain) {
  const Plan plan = plan_of({.profile = {}, .seed = 3, .inject = {}});
  std::set<uint64_t> seeds;
  for (uint64_t n = 0; n < 5000; ++n) {
    const model::JobSpec job = job_at(plan, n);
    if (const auto* spec = std::get_if<model::SyntheticSpawnSpec>(&job.work))
      seeds.insert(spec->seed);
  }
  EXPECT_EQ(seeds.size(), 16u);
}

TEST(Plan, LimitOfMemoryFollowsTheWindow) {
  EXPECT_NEAR(plan_of({.profile = {}, .seed = 1, .inject = {}}).limits.rss_bytes_per_second,
              8.0 * (1 << 20) / 480, 1);
  const Plan day =
      plan_of({.profile = {}, .duration = std::chrono::hours(24), .seed = 1, .inject = {}});
  EXPECT_NEAR(day.limits.rss_bytes_per_second * 3600, 100 * 1024, 1);
}

TEST(Plan, EveryMistakeIsNamedAtOnce) {
  const auto plan = make_plan({.profile = "harsh",
                               .duration = std::chrono::seconds(5),
                               .rate = -1,
                               .inject = {"leak=oops", "drop-job"}},
                              situation());
  ASSERT_FALSE(plan.has_value());
  EXPECT_EQ(plan.error().error.code, zokio::Errc::InvalidArgument);
  EXPECT_EQ(plan.error().violations.size(), 4u);
}

TEST(Plan, FaultsNeedTheConfiguration) {
  const StartRequest request{.profile = {}, .seed = 1, .inject = {"leak=256Ki/s"}};
  const auto refused = make_plan(request, situation());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.code, zokio::Errc::PermissionDenied);
  EXPECT_EQ(refused.error().reason, "FAULTS_NOT_ALLOWED");
  Situation allowed = situation();
  allowed.faults_allowed = true;
  EXPECT_EQ(make_plan(request, allowed)->inject.leak_bytes_per_second, 256u * 1024);
}

TEST(ParseInject, TakesWhatIsDocumented) {
  Inject inject;
  EXPECT_TRUE(parse_inject("leak=1Mi/s", inject));
  EXPECT_EQ(inject.leak_bytes_per_second, 1024u * 1024);
  EXPECT_TRUE(parse_inject("leak=500/s", inject));
  EXPECT_EQ(inject.leak_bytes_per_second, 500u);
  EXPECT_TRUE(parse_inject("drop-job", inject));
  EXPECT_TRUE(inject.drop_job);
  for (const char* wrong :
       {"", "leak", "leak=", "leak=/s", "leak=Ki/s", "leak=0/s", "leak=-1/s", "leak=1Gi/s",
        "leak=65Mi/s", "leak=99999999999999999999/s", "leak=1 Ki/s", "drop-jobs", "leak=s"}) {
    EXPECT_FALSE(parse_inject(wrong, inject)) << wrong;
  }
}

}  // namespace
}  // namespace zokiod::soak
