// SPDX-License-Identifier: Apache-2.0
// Delays, dependencies, deadlines, requeue, and crash loops, in both journals.
#include "engine_fixture.h"
#include "model/limits.h"

namespace zokiod::jobs {
namespace {

using model::OnFailure;

class LifeTest : public EngineTest {
 protected:
  static model::JobSpec after(std::vector<JobId> ids, OnFailure policy = OnFailure::Cancel) {
    model::JobSpec spec = quick();
    for (const JobId id : ids) spec.after.push_back(id.to_string());
    spec.on_failure = policy;
    return spec;
  }
  Reported<Job> requeue(JobId id) {
    return on_runtime([&] { return engine_->requeue(id); });
  }
  void reopen() {
    stop();
    auto opened = store::open_sqlite_journal(root_.string());
    ASSERT_TRUE(opened) << opened.error().message;
    start(*std::move(opened));
  }
  void make_missing() { std::ofstream(root_ / "missing") << "x"; }
};

TEST_F(LifeTest, DelayedJobWaitsItsTimeAndIsQueuedThen) {
  model::JobSpec spec = quick();
  spec.delay = 150ms;
  const auto submitted = submit(spec);
  ASSERT_TRUE(submitted);
  EXPECT_EQ(submitted->job.state, JobState::Waiting);
  EXPECT_EQ(submitted->job.not_before.unix_ns, submitted->job.created.unix_ns + 150'000'000);
  const Job job = must_wait(submitted->job.id);
  EXPECT_EQ(job.state, JobState::Succeeded);
  EXPECT_GE(job.started, submitted->job.not_before);
}

TEST_F(LifeTest, DelayIsKeptOverARestart) {
  reopen();
  model::JobSpec spec = quick();
  spec.delay = 1h;
  const auto submitted = submit(spec);
  ASSERT_TRUE(submitted);
  reopen();
  const Job kept = *engine_->get(submitted->job.id);
  EXPECT_EQ(kept.state, JobState::Waiting);
  EXPECT_EQ(kept.not_before, submitted->job.not_before);
  EXPECT_EQ(kept.spec, submitted->job.spec);
  ASSERT_TRUE(requeue(kept.id));  // now
  EXPECT_EQ(must_wait(kept.id).state, JobState::Succeeded);
}

TEST_F(LifeTest, JobRunsBehindWhatItComesAfter) {
  const JobId first = must_submit(until_go());
  const JobId second = must_submit(after({first}));
  const JobId third = must_submit(after({first, second}));
  ASSERT_TRUE(reaches(first, JobState::Running));
  EXPECT_EQ(engine_->get(second)->state, JobState::Waiting);
  go();
  const Job last = must_wait(third);
  EXPECT_EQ(last.state, JobState::Succeeded);
  EXPECT_GE(engine_->get(second)->started, engine_->get(first)->finished);
  EXPECT_GE(last.started, engine_->get(second)->finished);
}

TEST_F(LifeTest, UnknownDependencyIsRefusedByItsField) {
  const JobId gone = model::JobIdSource().next();
  const auto refused = submit(after({must_submit(quick()), gone}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "INVALID_FIELD");
  EXPECT_EQ(refused.error().violations.at(0).field, "spec.after[1]");
  model::JobSpec wrong = quick();
  wrong.after = {"x"};
  wrong.delay = 10s;
  wrong.deadline = 5s;
  const auto both = submit(wrong);
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().violations.size(), 2u);
}

TEST_F(LifeTest, FailedDependencyCancelsRunsOrHolds) {
  const JobId bad = must_submit(failing());
  const JobId cancelled = must_submit(after({bad}));
  const JobId runs = must_submit(after({bad}, OnFailure::Run));
  const JobId held = must_submit(after({bad}, OnFailure::Hold));
  EXPECT_EQ(must_wait(cancelled).state, JobState::Cancelled);
  EXPECT_EQ(engine_->get(cancelled)->error.reason, "DEPENDENCY_FAILED");
  EXPECT_EQ(must_wait(runs).state, JobState::Succeeded);
  ASSERT_TRUE(zokio::test::eventually(
      [&] { return engine_->get(held)->error.reason == "DEPENDENCY_FAILED"; }));
  EXPECT_EQ(engine_->get(held)->state, JobState::Waiting);
  ASSERT_TRUE(requeue(held));
  const Job done = must_wait(held);
  EXPECT_EQ(done.state, JobState::Succeeded);
  EXPECT_TRUE(done.error.reason.empty());
  // Also what is submitted when it has failed already.
  EXPECT_EQ(must_wait(must_submit(after({bad}))).state, JobState::Cancelled);
}

TEST_F(LifeTest, CancelOfTheFirstOfAChainCancelsTheChain) {
  const JobId first = must_submit(until_go());
  std::vector<JobId> chain{first};
  for (int i = 0; i < 20; ++i) chain.push_back(must_submit(after({chain.back()})));
  ASSERT_TRUE(cancel(first));
  for (const JobId id : chain) EXPECT_EQ(must_wait(id).state, JobState::Cancelled);
}

TEST_F(LifeTest, DependenciesAreRememberedOverARestart) {
  limits_.concurrency = 1;
  reopen();
  const JobId first = must_submit(until_go());
  const JobId second = must_submit(after({first}));
  reopen();
  EXPECT_EQ(engine_->get(second)->state, JobState::Waiting);
  go();
  EXPECT_EQ(must_wait(second).state, JobState::Succeeded);
  EXPECT_EQ(engine_->get(first)->state, JobState::Succeeded);
}

TEST_F(LifeTest, RetentionKeepsWhatAWaitingJobLooksAt) {
  EngineLimits few;
  few.retain_finished = 10;
  restart_with(few);
  const JobId early = must_submit(quick());
  must_wait(early);
  const JobId slow = must_submit(until_go());
  const JobId both = must_submit(after({early, slow}));
  for (int i = 0; i < 200; ++i) must_wait(must_submit(quick()));
  EXPECT_TRUE(engine_->get(early));
  go();
  EXPECT_EQ(must_wait(both).state, JobState::Succeeded);
  for (int i = 0; i < 200; ++i) must_wait(must_submit(quick()));
  EXPECT_FALSE(engine_->get(early));
}

TEST_F(LifeTest, DeadlineEndsAJobThatWaits) {
  limits_.concurrency = 1;
  restart_with(limits_);
  const JobId blocker = must_submit(until_go());
  ASSERT_TRUE(reaches(blocker, JobState::Running));
  model::JobSpec spec = quick();
  spec.deadline = 50ms;
  const Job job = must_wait(must_submit(spec));
  EXPECT_EQ(job.state, JobState::TimedOut);
  EXPECT_EQ(job.error.reason, "DEADLINE_EXCEEDED");
  EXPECT_EQ(job.attempt, 0u);
  go();
}

TEST_F(LifeTest, DeadlineEndsAJobThatRunsAndItIsNotTriedAgain) {
  model::JobSpec spec = until_go();
  spec.deadline = 100ms;
  spec.retry.attempts_max = 5;
  spec.retry.backoff_initial = 1ms;
  const Job job = must_wait(must_submit(spec));
  EXPECT_EQ(job.state, JobState::TimedOut);
  EXPECT_EQ(job.error.reason, "DEADLINE_EXCEEDED");
  EXPECT_EQ(job.attempt, 1u);
}

TEST_F(LifeTest, DeadLetterIsQueuedAgainAndSucceeds) {
  reopen();
  model::JobSpec spec = failing();
  spec.retry.attempts_max = 2;
  spec.retry.backoff_initial = 1ms;
  const JobId id = must_submit(spec);
  const Job dead = must_wait(id);
  EXPECT_EQ(dead.state, JobState::Failed);
  EXPECT_EQ(dead.attempt, 2u);
  make_missing();
  const auto queued = requeue(id);
  ASSERT_TRUE(queued) << queued.error().message;
  const Job done = must_wait(id);
  EXPECT_EQ(done.state, JobState::Succeeded);
  EXPECT_EQ(done.attempt, 3u);  // results stay fenced
  EXPECT_EQ(done.failures, 0u);
  EXPECT_EQ(requeue(id).error().reason, "JOB_FINISHED");
  EXPECT_EQ(engine_->stats().queued + engine_->stats().running, 0u);
  EXPECT_EQ(engine_->queue("default")->live, 0u);
  reopen();
  EXPECT_EQ(engine_->get(id)->state, JobState::Succeeded);
}

TEST_F(LifeTest, RequeueOfWhatHasNotEndedIsRefused) {
  const JobId id = must_submit(until_go());
  ASSERT_TRUE(reaches(id, JobState::Running));
  EXPECT_EQ(requeue(id).error().reason, "JOB_NOT_FINISHED");
  EXPECT_EQ(requeue(model::JobIdSource().next()).error().reason, "JOB_NOT_FOUND");
  go();
}

TEST_F(LifeTest, RequeueThatCannotBeStoredChangesNothing) {
  const JobId id = must_submit(failing());
  must_wait(id);
  journal_->fail = true;
  EXPECT_EQ(requeue(id).error().reason, "JOURNAL_UNAVAILABLE");
  EXPECT_EQ(engine_->get(id)->state, JobState::Failed);
  EXPECT_EQ(engine_->queue("default")->live, 0u);
  journal_->fail = false;
  ASSERT_TRUE(requeue(id));
  must_wait(id);
}

TEST_F(LifeTest, StoreThatRefusesForAWhileDelaysWhatIsDueAndLosesNothing) {
  model::JobSpec spec = quick();
  spec.delay = 20ms;
  const JobId id = must_submit(spec);
  journal_->fail = true;
  ASSERT_TRUE(zokio::test::eventually([&] { return engine_->stats().journal.failures > 0; }));
  EXPECT_EQ(engine_->get(id)->state, JobState::Waiting);
  journal_->fail = false;
  EXPECT_EQ(must_wait(id).state, JobState::Succeeded);
}

}  // namespace
}  // namespace zokiod::jobs
