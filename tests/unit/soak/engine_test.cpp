// SPDX-License-Identifier: Apache-2.0
// The soak engine on a real runtime and job engine: start, stop, faults, the way down.

#include "soak/engine.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "jobs/engine.h"
#include "kinds/kind.h"
#include "store/memory_journal.h"
#include "store/store.h"
#include "temp_dir.h"

namespace zokiod::soak {
namespace {

// Polls; a minute is for sanitizers on a loaded machine.
template <class Condition>
bool within_a_minute(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// For the message of a verdict that is not what it should be.
std::string failed_checks(const Status& status) {
  std::string out = testing::PrintToString(status.record.jobs.examples);
  for (const Check& check : status.verdict.checks)
    if (check.state == CheckState::Fail) out += ", " + check.name + ": " + check.why;
  return out;
}

class SoakEngine : public testing::Test {
 protected:
  void SetUp() override {
    zokio::RuntimeOptions options;
    options.workers = 2;
    options.reactors = 1;
    runtime_ = *zokio::Runtime::create(options);
    store_ = std::make_unique<store::Store>(store::make_memory_journal());
    auto policy = std::make_shared<kinds::Policy>();
    policy->scratch_dir = directory_.path();
    policy->roots = {directory_.path()};
    jobs::EngineLimits limits;
    limits.retain_finished = 100;
    jobs_ = *jobs::Engine::start({runtime_.get(), store_.get(), limits, policy});
    make_soak(true);
  }
  void TearDown() override {
    soak_.reset();
    jobs_->stop();
    jobs_.reset();
    runtime_.reset();
    store_->close();
  }
  void make_soak(bool allow_faults) {
    EngineOptions options;
    options.jobs = jobs_.get();
    options.runtime = runtime_.get();
    options.report_root = directory_ / "soak";
    options.allow_faults = allow_faults;
    options.process = zokio::os::read_process_stats;
    options.checksum_root = [this] { return directory_.path(); };
    options.environment = {{"version", "of a test"}};
    soak_ = std::make_unique<Engine>(std::move(options));
  }
  Status status() { return *soak_->status(""); }
  bool run_until(uint64_t jobs) {
    return within_a_minute([&] { return status().record.jobs.succeeded >= jobs; });
  }
  bool ends() {
    return within_a_minute([&] { return !status().running; });
  }

  zokio::test::TempDir directory_;
  std::unique_ptr<zokio::Runtime> runtime_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<jobs::Engine> jobs_;
  std::unique_ptr<Engine> soak_;
};

TEST_F(SoakEngine, NothingIsKnownBeforeTheFirst) {
  EXPECT_EQ(soak_->status("").error().reason, "SOAK_NOT_FOUND");
  EXPECT_EQ(soak_->report("", Format::Json).error().reason, "SOAK_NOT_FOUND");
  const Figures figures = soak_->figures();
  EXPECT_FALSE(figures.running);
  EXPECT_EQ(figures.checks.size(), check_names().size());
  EXPECT_THAT(figures.checks, testing::Each(testing::Field(&Figures::CheckFigure::judged, false)));
}

TEST_F(SoakEngine, StoppedSoakAccountsForEveryJob) {
  const auto started = soak_->start({.profile = "smoke",
                                     .duration = std::chrono::seconds(60),
                                     .seed = 3,
                                     .rate = 200,
                                     .inject = {}});
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_TRUE(started->running);
  EXPECT_TRUE(soak_->figures().running);
  const auto second = soak_->start({.profile = {}, .inject = {}});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().reason, "SOAK_RUNNING");
  ASSERT_TRUE(run_until(300));
  ASSERT_TRUE(soak_->stop("", "enough").has_value());
  ASSERT_TRUE(ends());

  const Status end = status();
  const Accounting& jobs = end.record.jobs;
  EXPECT_EQ(jobs.acknowledged, jobs.succeeded);
  EXPECT_EQ(jobs.offered, jobs.acknowledged + jobs.skipped + jobs.rejected);
  EXPECT_EQ(jobs.failed + jobs.lost + jobs.duplicates + jobs.mismatches + jobs.outstanding, 0u)
      << testing::PrintToString(jobs.examples);
  EXPECT_EQ(end.record.phase, Phase::Done);
  EXPECT_EQ(end.record.stop_reason, "enough");
  EXPECT_EQ(end.verdict.state, CheckState::Inconclusive) << "stopped early";
  for (const Format format : {Format::Html, Format::Json, Format::Markdown, Format::Csv}) {
    EXPECT_TRUE(soak_->report(end.run_id, format).has_value());
  }
  EXPECT_EQ(soak_->status("another").error().reason, "SOAK_NOT_FOUND");
  const zokio::RuntimeSnapshot now = runtime_->stats();
  EXPECT_EQ(now.scheduler.workers_desired, 2u) << "sizes are those of before";
  EXPECT_EQ(now.io.reactors_desired, 1u);
  EXPECT_FALSE(std::filesystem::exists(directory_ / ("zokio-soak-" + end.run_id)))
      << "the tree for file.checksum is gone";
}

TEST_F(SoakEngine, ResizesOnItsWay) {
  ASSERT_TRUE(soak_
                  ->start({.profile = {},
                           .duration = std::chrono::seconds(30),
                           .seed = 4,
                           .rate = 100,
                           .inject = {}})
                  .has_value());
  EXPECT_TRUE(within_a_minute([&] { return soak_->figures().resizes >= 4; }));
  ASSERT_TRUE(soak_->stop("", "").has_value());
  ASSERT_TRUE(ends());
  for (const ResizeDone& resize : status().record.resizes) EXPECT_TRUE(resize.ok) << resize.error;
}

TEST_F(SoakEngine, FaultsNeedTheConfiguration) {
  make_soak(false);
  const auto refused = soak_->start({.profile = {}, .inject = {"drop-job"}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.code, zokio::Errc::PermissionDenied);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "soak"));
}

TEST_F(SoakEngine, ReportDirectoryThatCannotBeMadeIsAnError) {
  std::ofstream(directory_ / "soak") << "a file is in the way";
  const auto refused = soak_->start({.profile = {}, .inject = {}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().reason, "REPORT_DIR");
}

TEST_F(SoakEngine, DrainEndsItWithoutLosingAJob) {
  ASSERT_TRUE(soak_->start({.profile = {}, .seed = 5, .rate = 200, .inject = {}}).has_value());
  ASSERT_TRUE(run_until(100));
  const jobs::DrainStatus drained =
      runtime_
          ->block_on(
              [](jobs::Engine* engine) {
                return engine->drain(std::chrono::seconds(30), "a test");
              },
              jobs_.get())
          .value();
  EXPECT_NE(drained.state, jobs::EngineState::Serving);
  ASSERT_TRUE(ends());
  const Status end = status();
  EXPECT_EQ(end.record.jobs.lost, 0u);
  EXPECT_EQ(end.record.jobs.failed, 0u) << testing::PrintToString(end.record.jobs.examples);
  EXPECT_EQ(end.verdict.state, CheckState::Inconclusive) << failed_checks(end);
  EXPECT_THAT(end.record.stop_reason, testing::HasSubstr("drain"));
  EXPECT_EQ(soak_->start({.profile = {}, .inject = {}}).error().reason, "DRAINING");
}

TEST_F(SoakEngine, ShutdownDoesNotWaitForTheJobsToEnd) {
  ASSERT_TRUE(soak_->start({.profile = {}, .seed = 6, .rate = 200, .inject = {}}).has_value());
  ASSERT_TRUE(run_until(50));
  soak_->shutdown("the daemon stops");
  EXPECT_FALSE(status().running);
  EXPECT_EQ(status().record.jobs.lost, 0u);
  soak_->shutdown("again");
}

}  // namespace
}  // namespace zokiod::soak
