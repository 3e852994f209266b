// SPDX-License-Identifier: Apache-2.0
// The verdict on records that are known to be good, leaking, drifting, too short or too noisy.

#include "soak/verdict.h"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <set>

#include "synthetic_record.h"

namespace zokiod::soak {
namespace {

using test::check_of;
using test::good_record;
using test::Shape;

Record leaking(double bytes_per_second, Shape shape = {}) {
  Record record = good_record(shape);
  for (Sample& s : record.samples) {
    s.rss_anon_bytes += static_cast<uint64_t>(bytes_per_second * s.t);
  }
  return record;
}

std::string failed(const Verdict& verdict) {
  std::string out;
  for (const Check& c : verdict.checks) {
    if (c.state != CheckState::Pass) {
      out += c.name + " " + std::string(to_string(c.state)) + ": " + c.why + "\n";
    }
  }
  return out;
}

TEST(Verdict, GoodSoakPassesForManySeeds) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const Verdict verdict = judge(good_record({.seed = seed}));
    EXPECT_EQ(verdict.state, CheckState::Pass) << "seed " << seed << "\n" << failed(verdict);
  }
}

TEST(Verdict, LeakOf256KiPerSecondFailsForManySeeds) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const Verdict verdict = judge(leaking(256 * 1024, {.seed = seed}));
    EXPECT_EQ(check_of(verdict, "rss-slope").state, CheckState::Fail) << "seed " << seed;
    EXPECT_EQ(check_of(verdict, "unaccounted-slope").state, CheckState::Fail);
    EXPECT_EQ(verdict.state, CheckState::Fail);
  }
}

TEST(Verdict, HeapThatGrowsFailsAlsoWhereResidentMemoryIsNoisy) {
  Record record = good_record({.rss_resize_bytes = 400 << 20});
  for (Sample& s : record.samples) s.heap_in_use_bytes += static_cast<uint64_t>(16 * 1024 * s.t);
  EXPECT_EQ(check_of(judge(record), "rss-slope").state, CheckState::Inconclusive);
  EXPECT_EQ(check_of(judge(record), "heap-slope").state, CheckState::Fail);
}

TEST(Verdict, SmallLeakIsNeverAPass) {
  // Three times the limit of the window, which is about what a soak of this length can resolve.
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const Record record =
        leaking(3 * good_record().plan.limits.rss_bytes_per_second, {.seed = seed});
    EXPECT_NE(judge(record).state, CheckState::Pass) << "seed " << seed;
  }
}

TEST(Verdict, LeakInAPoolIsNoUnaccountedMemory) {
  Record record = leaking(256 * 1024);
  for (Sample& s : record.samples) s.pool_cached_bytes += static_cast<uint64_t>(256 * 1024 * s.t);
  const Verdict verdict = judge(record);
  EXPECT_EQ(check_of(verdict, "rss-slope").state, CheckState::Fail);
  EXPECT_EQ(check_of(verdict, "unaccounted-slope").state, CheckState::Pass);
}

TEST(Verdict, NoiseIsInconclusiveAndNoPass) {
  const Verdict verdict = judge(good_record({.rss_resize_bytes = 400 << 20}));
  EXPECT_EQ(check_of(verdict, "rss-slope").state, CheckState::Inconclusive);
  EXPECT_EQ(verdict.state, CheckState::Inconclusive);
}

TEST(Verdict, TooShortIsInconclusive) {
  Record record = good_record();
  record.samples.resize(130);  // ten seconds after the warm-up
  const Verdict verdict = judge(record);
  EXPECT_EQ(check_of(verdict, "rss-slope").state, CheckState::Inconclusive);
  EXPECT_EQ(check_of(verdict, "sched-drift").state, CheckState::Inconclusive);
  EXPECT_EQ(verdict.state, CheckState::Inconclusive);
}

TEST(Verdict, GrowthWhileHistoriesFillIsNotHeldAgainstIt) {
  Record record = leaking(60 * 1024);
  record.histories_full = false;
  EXPECT_EQ(check_of(judge(record), "rss-slope").state, CheckState::Inconclusive);
  record = leaking(1024 * 1024);  // more than they could ever take
  record.histories_full = false;
  EXPECT_EQ(check_of(judge(record), "rss-slope").state, CheckState::Fail);
}

TEST(Verdict, DescriptorsAndThreadsThatGrowFail) {
  Record record = good_record();
  for (Sample& s : record.samples) s.fds += static_cast<uint32_t>(s.t / 10);
  EXPECT_EQ(check_of(judge(record), "fd-slope").state, CheckState::Fail);
  record = good_record();
  for (Sample& s : record.samples) s.threads += static_cast<uint32_t>(s.t / 20);
  EXPECT_EQ(check_of(judge(record), "thread-slope").state, CheckState::Fail);
  for (Sample& s : record.samples) s.blocking_threads = s.threads - 20;
  EXPECT_EQ(check_of(judge(record), "thread-slope").state, CheckState::Pass)
      << "threads for blocking calls come with demand";
}

TEST(Verdict, DriftNeedsMoreThanItsFloor) {
  const auto drifting = [](double factor) {
    Record record = good_record();
    for (Sample& s : record.samples) s.sched_p99_s *= 1 + (factor - 1) * s.t / 600;
    return check_of(judge(record), "sched-drift").state;
  };
  // 4 ms that become 8 ms: twice as slow, and nothing on a machine that is shared.
  EXPECT_EQ(drifting(2), CheckState::Pass);
  EXPECT_EQ(drifting(60), CheckState::Fail);
}

TEST(Verdict, OneJobDecides) {
  const std::vector<std::pair<std::string, std::function<void(Record&)>>> cases = {
      {"jobs-lost", [](Record& r) { r.jobs.lost = 1; }},
      {"jobs-lost", [](Record& r) { r.engine_lost = 1; }},
      {"jobs-duplicate", [](Record& r) { r.jobs.duplicates = 1; }},
      {"jobs-duplicate", [](Record& r) { r.engine_duplicates = 1; }},
      {"jobs-unexpected", [](Record& r) { r.jobs.failed = 1; }},
      {"jobs-unexpected", [](Record& r) { r.jobs.rejected = 1; }},
      {"verify-mismatches", [](Record& r) { r.jobs.mismatches = 1; }},
      {"verify-mismatches", [](Record& r) { r.engine_verify_failures = 1; }},
      {"resizes", [](Record& r) { r.resizes[3].ok = false; }},
      {"resizes", [](Record& r) { r.resizes[3].took_s = 11; }},
  };
  for (const auto& [name, spoil] : cases) {
    Record record = good_record();
    spoil(record);
    const Verdict verdict = judge(record);
    EXPECT_EQ(check_of(verdict, name).state, CheckState::Fail) << name;
    EXPECT_EQ(verdict.state, CheckState::Fail) << name;
  }
}

TEST(Verdict, FloorOfTheHitRatio) {
  Record record = good_record();
  for (Sample& s : record.samples) s.pool_misses = s.pool_requests / 10;
  EXPECT_EQ(check_of(judge(record), "pool-hit-ratio").state, CheckState::Fail);
}

TEST(Verdict, WhatTheHarnessDidWrongIsNoFailureOfTheDaemon) {
  const std::vector<std::pair<std::string, std::function<void(Record&)>>> cases = {
      {"load-achieved",
       [](Record& r) { r.jobs.acknowledged = r.jobs.succeeded = r.jobs.offered / 2; }},
      {"sampler-gaps", [](Record& r) { r.samples_missed = 60; }},
      {"sampler-gaps",
       [](Record& r) { r.samples.erase(r.samples.begin() + 300, r.samples.begin() + 310); }},
      {"sampler-overhead", [](Record& r) { r.sampler_cpu_s = 60; }},
      {"resizes", [](Record& r) { r.resizes.clear(); }},
      {"duration", [](Record& r) { r.stopped_early = true; }},
  };
  for (const auto& [name, spoil] : cases) {
    Record record = good_record();
    spoil(record);
    const Verdict verdict = judge(record);
    EXPECT_EQ(check_of(verdict, name).state, CheckState::Inconclusive) << name;
    EXPECT_EQ(verdict.state, CheckState::Inconclusive) << name << "\n" << failed(verdict);
  }
}

TEST(Verdict, RunningSoakHasNotPassed) {
  Record record = good_record();
  record.phase = Phase::Steady;
  EXPECT_EQ(judge(record).state, CheckState::Inconclusive);
  EXPECT_EQ(judge(Record{}).state, CheckState::Inconclusive);
}

TEST(Verdict, EveryCheckHasItsOwnName) {
  const auto& names = check_names();
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_EQ(names.size(), judge(good_record()).checks.size());
}

TEST(JudgeAtMost, FailsOnEvidenceAndPassesOnPower) {
  EXPECT_EQ(judge_at_most(2, {1.5, 2.5}, 1), CheckState::Fail);
  EXPECT_EQ(judge_at_most(0.2, {0.1, 0.3}, 1), CheckState::Pass);
  EXPECT_EQ(judge_at_most(-5, {-5.2, -4.9}, 1), CheckState::Pass) << "shrinking is no growth";
  EXPECT_EQ(judge_at_most(0.2, {-0.6, 0.9}, 1), CheckState::Inconclusive) << "too wide to tell";
  EXPECT_EQ(judge_at_most(1.1, {0.9, 1.4}, 1), CheckState::Inconclusive) << "beyond, not surely";
}

}  // namespace
}  // namespace zokiod::soak
