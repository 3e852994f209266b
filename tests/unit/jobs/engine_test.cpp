// SPDX-License-Identifier: Apache-2.0
#include "engine_fixture.h"

namespace zokiod::jobs {
namespace {

using testing::HasSubstr;

TEST_F(EngineTest, AJobRunsAndItsRecordSaysSo) {
  const auto submitted = submit(quick());
  ASSERT_TRUE(submitted);
  EXPECT_FALSE(submitted->duplicate);
  const Job job = must_wait(submitted->job.id);
  EXPECT_EQ(job.state, JobState::Succeeded);
  EXPECT_EQ(job.attempt, 1u);
  EXPECT_EQ(job.failures, 0u);
  EXPECT_EQ(job.principal.uid, 1000u);
  EXPECT_TRUE(job.error.reason.empty());
  EXPECT_EQ(std::get<model::SyntheticResult>(job.result).operations, 10u);
  EXPECT_LE(job.created, job.started);
  EXPECT_LE(job.started, job.finished);
  const KindStats stats = kind_stats("synthetic.spawn");
  EXPECT_EQ(stats.accepted, 1u);
  EXPECT_EQ(stats.attempts_first, 1u);
  EXPECT_EQ(stats.with_outcome(model::Outcome::Succeeded), 1u);
  EXPECT_EQ(stats.in_state(JobState::Succeeded), 1u);
  EXPECT_EQ(stats.run_ns.count, 1u);
  EXPECT_EQ(stats.queue_wait_ns.count, 1u);
}

TEST_F(EngineTest, TheSameRequestIdIsTheSameJob) {
  const auto first = submit(quick(), "r-1");
  const auto again = submit(quick(), "r-1");
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->job.id, again->job.id);
  EXPECT_TRUE(again->duplicate);
  const auto other = submit(quick(2), "r-1");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().reason, "REQUEST_ID_REUSED");
  EXPECT_EQ(other.error().error.code, Errc::AlreadyExists);
  EXPECT_EQ(kind_stats("synthetic.spawn").duplicate, 1u);
}

TEST_F(EngineTest, ConcurrentSubmitsWithOneRequestIdMakeOneJob) {
  std::vector<std::jthread> threads;
  std::mutex mutex;
  std::set<JobId> ids;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 20; ++n) {
        const auto done = submit(quick(), "shared-" + std::to_string(n));
        ASSERT_TRUE(done);
        std::lock_guard lock(mutex);
        ids.insert(done->job.id);
      }
    });
  threads.clear();
  EXPECT_EQ(ids.size(), 20u);
  EXPECT_EQ(kind_stats("synthetic.spawn").accepted, 20u);
  EXPECT_EQ(kind_stats("synthetic.spawn").duplicate, 140u);
}

TEST_F(EngineTest, EveryViolationAtOnce) {
  model::JobSpec spec;
  spec.work = model::ExecSpec{};
  spec.priority = 1000;
  spec.retry.attempts_max = 1000;
  spec.labels = {{"", "x"}, {"long", std::string(64, 'x')}};
  const auto done = submit(spec, "has space");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().reason, "INVALID_FIELD");
  std::vector<std::string> fields;
  for (const auto& v : done.error().violations) fields.push_back(v.field);
  EXPECT_THAT(fields, testing::ElementsAre("spec.priority", "spec.max_attempts", "spec.labels",
                                           "spec.labels.long", "spec.exec.argv"));
  EXPECT_EQ(engine_->stats().rejected.at("INVALID_FIELD"), 1u);
  EXPECT_EQ(engine_->list({}, std::nullopt, 10).jobs.size(), 0u);
}

TEST_F(EngineTest, PolicyIsAskedAtTheSubmitAndAtTheStart) {
  engine_->set_limits({.concurrency = 1});
  const JobId blocker = must_submit(until_go());
  ASSERT_TRUE(reaches(blocker, JobState::Running));
  const JobId waiting = must_submit(until_go());
  policy_.exec_enabled = false;
  engine_->set_policy(std::make_shared<kinds::Policy>(policy_));
  EXPECT_EQ(submit(until_go()).error().reason, "KIND_NOT_ALLOWED");
  go();
  EXPECT_EQ(must_wait(blocker).state, JobState::Succeeded);
  const Job refused = must_wait(waiting);
  EXPECT_EQ(refused.state, JobState::Failed);
  EXPECT_EQ(refused.error.reason, "KIND_NOT_ALLOWED");
  EXPECT_FALSE(kind_stats("exec").allowed);
}

TEST_F(EngineTest, ValidateOnlyTakesNothing) {
  const auto done = on_runtime([&] { return engine_->submit(quick(), {"", {1, 1}, true}); });
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->job.id.empty());
  EXPECT_EQ(engine_->list({}, std::nullopt, 10).jobs.size(), 0u);
}

TEST_F(EngineTest, AFullQueueRefusesAndGoesOn) {
  restart_with({.concurrency = 1, .queue_limit = 3});
  const JobId blocker = must_submit(until_go());
  must_submit(quick());
  must_submit(quick());
  const auto refused = submit(quick());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "QUEUE_FULL");
  EXPECT_EQ(refused.error().metadata.at("limit"), "3");
  go();
  must_wait(blocker);
  EXPECT_TRUE(zokio::test::eventually([&] { return submit(quick()).has_value(); }));
}

TEST_F(EngineTest, HigherPriorityFirstThenTheOrderOfArrival) {
  engine_->set_limits({.concurrency = 1});
  const JobId blocker = must_submit(until_go());
  ASSERT_TRUE(reaches(blocker, JobState::Running));
  std::vector<JobId> ids;
  for (const int priority : {0, 5, -5, 5, 0}) {
    model::JobSpec spec = quick();
    spec.priority = priority;
    ids.push_back(must_submit(spec));
  }
  EXPECT_EQ(engine_->stats().queued, 5u);
  EXPECT_TRUE(engine_->stats().oldest_queued.is_set());
  go();
  std::vector<std::pair<int64_t, size_t>> order;
  for (size_t i = 0; i < ids.size(); ++i) order.emplace_back(must_wait(ids[i]).started.unix_ns, i);
  std::ranges::sort(order);
  std::vector<size_t> got;
  for (const auto& [when, index] : order) got.push_back(index);
  EXPECT_THAT(got, testing::ElementsAre(1, 3, 0, 4, 2));
}

TEST_F(EngineTest, ConcurrencyGrowsLive) {
  engine_->set_limits({.concurrency = 1});
  std::vector<JobId> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(must_submit(until_go()));
  ASSERT_TRUE(reaches(ids[0], JobState::Running));
  EXPECT_EQ(engine_->get(ids[2])->state, JobState::Queued);
  engine_->set_limits({.concurrency = 3});
  for (const JobId& id : ids) EXPECT_TRUE(reaches(id, JobState::Running));
  go();
  for (const JobId& id : ids) must_wait(id);
}

TEST_F(EngineTest, CancelInEveryState) {
  engine_->set_limits({.concurrency = 1});
  const JobId running = must_submit(until_go());
  ASSERT_TRUE(reaches(running, JobState::Running));
  const JobId queued = must_submit(quick());

  const auto gone = cancel(queued);
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->state, JobState::Cancelled);
  EXPECT_EQ(gone->error.reason, "CANCELLED");

  const auto told = cancel(running);
  ASSERT_TRUE(told);
  EXPECT_TRUE(told->cancel_requested || is_terminal(told->state));
  EXPECT_EQ(must_wait(running).state, JobState::Cancelled);
  EXPECT_EQ(cancel(running)->state, JobState::Cancelled);  // as it is

  model::JobSpec spec = failing();
  spec.retry = {3, 1h, 1h};
  const JobId retrying = must_submit(spec);
  ASSERT_TRUE(reaches(retrying, JobState::Retrying));
  EXPECT_EQ(cancel(retrying)->state, JobState::Cancelled);

  const auto nobody = cancel(*JobId::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV"));
  EXPECT_EQ(nobody.error().reason, "JOB_NOT_FOUND");
}

TEST_F(EngineTest, CancelAndEndRaceToOneOutcome) {
  for (uint64_t i = 0; i < 200; ++i) {
    const JobId id = must_submit(quick(i));
    const auto cancelled = cancel(id);
    ASSERT_TRUE(cancelled);
    const Job job = must_wait(id);
    EXPECT_TRUE(job.state == JobState::Cancelled || job.state == JobState::Succeeded);
  }
  const KindStats stats = kind_stats("synthetic.spawn");
  EXPECT_EQ(stats.in_state(JobState::Cancelled) + stats.in_state(JobState::Succeeded), 200u);
  EXPECT_EQ(engine_->stats().journal.fenced, 0u);
}

TEST_F(EngineTest, ATimeoutEndsTheAttempt) {
  model::JobSpec spec = until_go();
  spec.timeout = 50ms;
  const Job job = must_wait(must_submit(spec));
  EXPECT_EQ(job.state, JobState::TimedOut);
  EXPECT_EQ(job.error.reason, "TIMED_OUT");
  EXPECT_EQ(kind_stats("exec").with_outcome(model::Outcome::TimedOut), 1u);
}

TEST_F(EngineTest, FailuresAreRetriedWithBackoffAndThenFinal) {
  model::JobSpec spec = failing();
  spec.retry = {3, 20ms, 40ms};
  const Job job = must_wait(must_submit(spec));
  EXPECT_EQ(job.state, JobState::Failed);
  EXPECT_EQ(job.attempt, 3u);
  EXPECT_EQ(job.failures, 3u);
  EXPECT_EQ(job.error.code, Errc::NotFound);
  // 20 ms and 40 ms, each up to an eighth less.
  EXPECT_GE(job.finished.unix_ns - job.created.unix_ns, 52'500'000);
  const KindStats stats = kind_stats("file.checksum");
  EXPECT_EQ(stats.attempts_first, 1u);
  EXPECT_EQ(stats.attempts_retry, 2u);
}

TEST_F(EngineTest, ARetryThatWorksSucceeds) {
  model::JobSpec spec = failing();
  spec.retry = {50, 20ms, 20ms};
  const JobId id = must_submit(spec);
  ASSERT_TRUE(zokio::test::eventually([&] { return engine_->get(id)->failures > 0; }));
  std::ofstream(root_ / "missing") << "here now";
  EXPECT_EQ(must_wait(id).state, JobState::Succeeded);
  EXPECT_TRUE(engine_->get(id)->error.reason.empty());
}

TEST_F(EngineTest, ListIsPagedNewestFirstAndFiltered) {
  std::vector<JobId> ids;
  for (uint64_t i = 0; i < 10; ++i) {
    model::JobSpec spec = quick(i);
    spec.labels = {{"parity", i % 2 ? "odd" : "even"}};
    ids.push_back(must_submit(spec));
  }
  for (const JobId& id : ids) must_wait(id);
  std::vector<JobId> seen;
  std::optional<JobId> before;
  int pages = 0;
  do {
    const ListPage page = engine_->list({}, before, 4);
    for (const Job& job : page.jobs) seen.push_back(job.id);
    before = page.next;
    ++pages;
  } while (before);
  EXPECT_EQ(pages, 3);
  std::ranges::reverse(ids);
  EXPECT_EQ(seen, ids);
  EXPECT_EQ(engine_->list({{}, "", {{"parity", "odd"}}}, std::nullopt, 100).jobs.size(), 5u);
  EXPECT_EQ(engine_->list({{JobState::Running}, "", {}}, std::nullopt, 100).jobs.size(), 0u);
  EXPECT_EQ(engine_->list({{}, "exec", {}}, std::nullopt, 100).jobs.size(), 0u);
}

TEST_F(EngineTest, OldFinishedJobsAreForgottenWithTheirRequestId) {
  restart_with({.retain_finished = 10});
  std::vector<JobId> ids;
  for (uint64_t i = 0; i < 200; ++i) {
    const auto done = submit(quick(i), "r" + std::to_string(i));
    ASSERT_TRUE(done);
    ids.push_back(done->job.id);
    must_wait(ids.back());
  }
  EXPECT_EQ(engine_->get(ids[0]).error().reason, "JOB_NOT_FOUND");
  EXPECT_TRUE(engine_->get(ids.back()));
  EXPECT_LT(engine_->list({}, std::nullopt, 1000).jobs.size(), 80u);
  const auto again = submit(quick(0), "r0");
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->duplicate);
}

TEST_F(EngineTest, OutputIsReadWhileItRunsAndAfterwards) {
  const JobId id = must_submit(until_go());
  const auto first = on_runtime([&] { return engine_->read_log(id, {.follow = true}); });
  ASSERT_TRUE(first);
  EXPECT_EQ(first->data, "up\n");
  EXPECT_FALSE(first->end);
  go();
  const auto second = on_runtime(
      [&] { return engine_->read_log(id, {.offset = first->next_offset, .follow = true}); });
  ASSERT_TRUE(second);
  EXPECT_EQ(second->data, "went\n");
  must_wait(id);
  const auto whole = on_runtime([&] { return engine_->read_log(id, {}); });
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->data, "up\nwent\n");
  EXPECT_TRUE(whole->end);
  EXPECT_EQ(on_runtime([&] { return engine_->read_log(id, {.attempt = 9}); }).error().error.code,
            Errc::OutOfRange);
}

TEST_F(EngineTest, OutputKeepsItsEndWithinTheLimit) {
  engine_->set_limits({.output_limit_bytes = 100});
  model::JobSpec spec;
  spec.work =
      model::ExecSpec{{"/bin/sh", "-c", "for i in $(seq 1000 1999); do echo $i; done"}, "", {}, {}};
  const JobId id = must_submit(spec);
  must_wait(id);
  const auto log = on_runtime([&] { return engine_->read_log(id, {}); });
  ASSERT_TRUE(log);
  EXPECT_EQ(log->data.size(), 100u);
  EXPECT_THAT(log->data, testing::EndsWith("1998\n1999\n"));
  EXPECT_EQ(log->dropped_bytes, 4900u);
  EXPECT_EQ(log->offset, 4900u);
  EXPECT_EQ(log->next_offset, 5000u);
  EXPECT_EQ(engine_->stats().output_dropped_bytes, 4900u);
}

TEST_F(EngineTest, AJournalThatCannotWriteRefusesAndRecovers) {
  journal_->fail = true;
  const auto refused = submit(quick(), "r-1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "JOURNAL_UNAVAILABLE");
  EXPECT_EQ(engine_->list({}, std::nullopt, 10).jobs.size(), 0u);
  EXPECT_FALSE(engine_->stats().journal.healthy);
  journal_->fail = false;
  const auto again = submit(quick(), "r-1");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(again->duplicate);
  EXPECT_EQ(must_wait(again->job.id).state, JobState::Succeeded);
}

TEST_F(EngineTest, AResultThatCannotBeWrittenIsOfferedUntilItCan) {
  const JobId id = must_submit(until_go());
  ASSERT_TRUE(reaches(id, JobState::Running));
  journal_->fail = true;
  go();
  ASSERT_TRUE(zokio::test::eventually([&] { return engine_->stats().journal.failures > 1; }));
  EXPECT_EQ(engine_->get(id)->state, JobState::Running);  // what is not durable is not said
  journal_->fail = false;
  EXPECT_EQ(must_wait(id).state, JobState::Succeeded);
  EXPECT_EQ(engine_->get(id)->attempt, 1u);
}

TEST_F(EngineTest, DrainWaitsInterruptsAndKeeps) {
  engine_->set_limits({.concurrency = 2});
  const JobId running = must_submit(until_go());
  ASSERT_TRUE(reaches(running, JobState::Running));
  const DrainStatus status = on_runtime([&] { return engine_->drain(50ms, "test"); });
  EXPECT_EQ(status.state, EngineState::Drained);
  EXPECT_EQ(status.running, 0u);
  EXPECT_EQ(status.interrupted, 1u);
  EXPECT_EQ(status.queued, 1u);
  const auto job = engine_->get(running);
  EXPECT_EQ(job->state, JobState::Queued);
  EXPECT_EQ(job->interruptions, 1u);
  EXPECT_EQ(job->failures, 0u);
  const auto refused = submit(quick());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "DRAINING");
  EXPECT_EQ(on_runtime([&] { return engine_->drain(1h, "again"); }).state, EngineState::Drained);
}

TEST_F(EngineTest, ALaterDrainShortensTheDeadline) {
  const JobId running = must_submit(until_go());
  ASSERT_TRUE(reaches(running, JobState::Running));
  auto slow = runtime_->spawn([](Engine* e) { return e->drain(1h, "slow"); }, engine_.get());
  ASSERT_TRUE(zokio::test::eventually(
      [&] { return engine_->drain_status().state == EngineState::Draining; }));
  EXPECT_EQ(on_runtime([&] { return engine_->drain(0s, "now"); }).running, 0u);
  EXPECT_TRUE(zokio::test::eventually([&] { return slow.finished(); }));
}

TEST_F(EngineTest, StopEndsEveryWait) {
  const JobId id = must_submit(until_go());
  ASSERT_TRUE(reaches(id, JobState::Running));
  std::optional<Reported<Job>> waited;
  auto waiting =
      runtime_->spawn([](Engine* e, JobId job) { return e->wait(job); }, engine_.get(), id);
  auto watch = engine_->watch({});
  ASSERT_TRUE(watch);
  engine_->stop();
  EXPECT_TRUE(zokio::test::eventually([&] { return waiting.finished(); }));
  const auto item = on_runtime([&] { return (*watch)->next(1h); });
  ASSERT_FALSE(item);
  EXPECT_EQ(item.error().reason, "STOPPING");
  EXPECT_EQ(submit(quick()).error().reason, "STOPPING");
}

}  // namespace
}  // namespace zokiod::jobs
