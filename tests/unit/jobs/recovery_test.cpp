// SPDX-License-Identifier: Apache-2.0
// The engine on its file: what a stop and a start leave of every job.
#include "engine_fixture.h"

namespace zokiod::jobs {
namespace {

class Recovery : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    stop();
    std::filesystem::create_directories(root_ / "state");
    reopen();
  }
  void reopen() {
    stop();
    auto journal = store::open_sqlite_journal((root_ / "state").string());
    ASSERT_TRUE(journal) << journal.error().message;
    start(*std::move(journal));
  }
};

TEST_F(Recovery, EverythingIsThereAgain) {
  limits_.concurrency = 1;
  reopen();
  const auto done = submit(quick(), "done");
  ASSERT_TRUE(done);
  const Job finished = must_wait(done->job.id);
  const JobId running = must_submit(until_go());
  ASSERT_TRUE(reaches(running, JobState::Running));
  const auto first = on_runtime([&] { return engine_->read_log(running, {.follow = true}); });
  ASSERT_TRUE(first);
  ASSERT_EQ(first->data, "up\n");
  const JobId queued = must_submit(quick(5));
  reopen();  // the stop interrupts

  const RecoveryStats recovery = engine_->stats().recovery;
  EXPECT_EQ(recovery.jobs, 3u);
  EXPECT_EQ(recovery.finished, 1u);
  EXPECT_EQ(recovery.queued, 2u);
  const auto again = engine_->get(finished.id);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->result, finished.result);
  EXPECT_EQ(again->finished, finished.finished);
  const auto replay = submit(quick(), "done");
  ASSERT_TRUE(replay);
  EXPECT_TRUE(replay->duplicate);
  EXPECT_EQ(replay->job.id, finished.id);
  const auto log = on_runtime([&] { return engine_->read_log(running, {.attempt = 1}); });
  ASSERT_TRUE(log);
  EXPECT_EQ(log->data, "up\n");
  go();
  const Job job = must_wait(running);
  EXPECT_EQ(job.state, JobState::Succeeded);
  EXPECT_EQ(job.attempt, 2u);
  EXPECT_EQ(job.interruptions, 1u);
  EXPECT_EQ(must_wait(queued).state, JobState::Succeeded);
  EXPECT_EQ(kind_stats("exec").attempts_recovery, 1u);
}

TEST_F(Recovery, ARetryKeepsItsTimeAndItsCount) {
  model::JobSpec spec = failing();
  spec.retry = {2, 300ms, 300ms};
  const JobId id = must_submit(spec);
  ASSERT_TRUE(reaches(id, JobState::Retrying));
  reopen();
  EXPECT_EQ(engine_->stats().recovery.retrying, 1u);
  const Job job = must_wait(id);
  EXPECT_EQ(job.state, JobState::Failed);
  EXPECT_EQ(job.failures, 2u);
  EXPECT_EQ(job.attempt, 2u);
}

TEST_F(Recovery, IdsGoOnFromTheGreatest) {
  const JobId before = must_submit(quick());
  reopen();
  EXPECT_LT(before, must_submit(quick()));
}

TEST_F(Recovery, ManyJobsFromManyThreadsShareCommits) {
  std::vector<std::jthread> threads;
  std::atomic<int> taken{0};
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < 100; ++i) taken += submit(quick(i)).has_value();
    });
  threads.clear();
  EXPECT_EQ(taken, 800);
  ASSERT_TRUE(zokio::test::eventually(
      [&] { return kind_stats("synthetic.spawn").in_state(JobState::Succeeded) == 800; }));
  const auto journal = engine_->stats().journal;
  EXPECT_EQ(journal.writes, 2400u);  // each job: taken, started, finished
  EXPECT_LT(journal.commits, journal.writes);
  EXPECT_EQ(journal.fenced, 0u);
  EXPECT_EQ(engine_->stats().lost, 0u);
}

}  // namespace
}  // namespace zokiod::jobs
