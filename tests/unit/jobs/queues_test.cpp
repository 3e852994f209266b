// SPDX-License-Identifier: Apache-2.0
// Named queues of an engine: made and changed while jobs run, in both journals.
#include "engine_fixture.h"

namespace zokiod::jobs {
namespace {

using model::QueueMode;
using model::QueuePatch;
using model::QueueSpec;

class QueuesTest : public EngineTest {
 protected:
  static QueueSpec named(std::string name) {
    QueueSpec spec;
    spec.name = std::move(name);
    return spec;
  }
  Reported<QueueStats> create(QueueSpec spec) {
    return on_runtime([&] { return engine_->create_queue(std::move(spec)); });
  }
  Reported<QueueStats> update(const std::string& name, QueuePatch patch) {
    return on_runtime([&] { return engine_->update_queue(name, patch); });
  }
  Reported<> remove(const std::string& name) {
    return on_runtime([&] { return engine_->remove_queue(name); });
  }
  static model::JobSpec in(std::string queue, model::JobSpec spec) {
    spec.queue = std::move(queue);
    return spec;
  }
  void reopen() {
    stop();
    auto opened = store::open_sqlite_journal(root_.string());
    ASSERT_TRUE(opened) << opened.error().message;
    start(*std::move(opened));
  }
  uint64_t queued(const std::string& name) { return engine_->queue(name)->queued; }
};

TEST_F(QueuesTest, JobsGoWhereTheySay) {
  ASSERT_TRUE(create(named("bulk")));
  const auto job = submit(in("bulk", quick()));
  ASSERT_TRUE(job);
  EXPECT_EQ(must_wait(job->job.id).spec.queue_name(), "bulk");
  EXPECT_EQ(engine_->queue("bulk")->started, 1u);
  EXPECT_EQ(engine_->queue("default")->started, 0u);
  must_wait(must_submit(quick()));
  ListFilter filter;
  filter.queue = "bulk";
  EXPECT_EQ(engine_->list(filter, std::nullopt, 10).jobs.size(), 1u);
  filter.queue = "default";
  EXPECT_EQ(engine_->list(filter, std::nullopt, 10).jobs.size(), 1u);
}

TEST_F(QueuesTest, NamingTheDefaultQueueIsNamingNone) {
  const auto first = submit(in("default", quick()), "r");
  const auto again = submit(quick(), "r");
  ASSERT_TRUE(first && again);
  EXPECT_TRUE(again->duplicate);
}

TEST_F(QueuesTest, RefusalsSayWhichQueueAndWhichLimit) {
  const auto unknown = submit(in("bulk", quick()));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().reason, "QUEUE_NOT_FOUND");
  EXPECT_EQ(unknown.error().message, "no queue \"bulk\"; there are: default");
  QueueSpec spec = named("bulk");
  spec.size_limit = 2;
  spec.mode = QueueMode::Paused;
  ASSERT_TRUE(create(spec));
  must_submit(in("bulk", quick()));
  must_submit(in("bulk", quick()));
  const auto full = submit(in("bulk", quick()));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().reason, "QUEUE_FULL");
  EXPECT_EQ(full.error().metadata.at("limit_name"), "size_limit of queue \"bulk\"");
  EXPECT_EQ(full.error().metadata.at("limit"), "2");
  EXPECT_EQ(full.error().message, "2 jobs are not finished, size_limit of queue \"bulk\" is 2");
  EXPECT_TRUE(submit(quick()));  // the others have room
  QueuePatch drain;
  drain.mode = QueueMode::Draining;
  ASSERT_TRUE(update("bulk", drain));
  EXPECT_EQ(submit(in("bulk", quick())).error().reason, "QUEUE_DRAINING");
  EXPECT_EQ(engine_->queue("bulk")->refused, 2u);
  ASSERT_TRUE(zokio::test::eventually([&] { return engine_->queue("bulk")->live == 0; }));
}

TEST_F(QueuesTest, WrongQueuesAreRefusedWithEveryField) {
  QueueSpec spec = named("Bad Name");
  spec.shares = 0;
  spec.priority = 101;
  const auto refused = create(spec);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "INVALID_FIELD");
  EXPECT_EQ(refused.error().violations.size(), 3u);
  EXPECT_EQ(create(named("default")).error().reason, "QUEUE_EXISTS");
  EXPECT_EQ(update("nope", {}).error().reason, "QUEUE_NOT_FOUND");
  EXPECT_EQ(remove("nope").error().reason, "QUEUE_NOT_FOUND");
  EXPECT_EQ(remove("default").error().reason, "INVALID_FIELD");
}

TEST_F(QueuesTest, PausedQueueKeepsItsJobsAndResumedRunsThem) {
  QueueSpec spec = named("bulk");
  spec.mode = QueueMode::Paused;
  ASSERT_TRUE(create(spec));
  const JobId held = must_submit(in("bulk", quick()));
  must_wait(must_submit(quick()));
  EXPECT_EQ(engine_->get(held)->state, JobState::Queued);
  EXPECT_EQ(engine_->queue("bulk")->held_by, "paused");
  EXPECT_TRUE(engine_->queue("bulk")->oldest_queued.is_set());
  EXPECT_EQ(remove("bulk").error().reason, "QUEUE_NOT_EMPTY");
  QueuePatch go;
  go.mode = QueueMode::Active;
  ASSERT_TRUE(update("bulk", go));
  EXPECT_EQ(must_wait(held).state, JobState::Succeeded);
  ASSERT_TRUE(remove("bulk"));
  EXPECT_EQ(engine_->get(held)->spec.queue, "bulk");  // the record stays
  ASSERT_TRUE(create(named("bulk")));
  EXPECT_EQ(engine_->queue("bulk")->states[static_cast<size_t>(JobState::Succeeded)], 1u);
}

TEST_F(QueuesTest, ConcurrencyOfAQueueHoldsAndRaisingItStartsMore) {
  QueueSpec spec = named("bulk");
  spec.concurrency = 1;
  ASSERT_TRUE(create(spec));
  const JobId first = must_submit(in("bulk", until_go()));
  const JobId second = must_submit(in("bulk", until_go()));
  ASSERT_TRUE(reaches(first, JobState::Running));
  must_wait(must_submit(quick()));  // the other queue is not held
  EXPECT_EQ(engine_->get(second)->state, JobState::Queued);
  QueuePatch more;
  more.concurrency = 2;
  ASSERT_TRUE(update("bulk", more));
  ASSERT_TRUE(reaches(second, JobState::Running));
  go();
  must_wait(first);
  must_wait(second);
  EXPECT_EQ(engine_->queue("bulk")->running, 0u);
}

TEST_F(QueuesTest, RateHoldsTheSecondStartUntilItsTime) {
  QueueSpec spec = named("slow");
  spec.rate = 5;
  ASSERT_TRUE(create(spec));
  const JobId first = must_submit(in("slow", quick()));
  const JobId second = must_submit(in("slow", quick()));
  const Job a = must_wait(first);
  const Job b = must_wait(second);
  // Never early; how late is the machine's affair.
  EXPECT_GE(b.started.unix_ns - a.started.unix_ns, 195'000'000);
}

TEST_F(QueuesTest, PurgeCancelsWhatWaitsAndLeavesWhatRuns) {
  QueueSpec spec = named("bulk");
  spec.concurrency = 1;
  ASSERT_TRUE(create(spec));
  const JobId running = must_submit(in("bulk", until_go()));
  ASSERT_TRUE(reaches(running, JobState::Running));
  std::vector<JobId> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(must_submit(in("bulk", quick())));
  const auto purged = on_runtime([&] { return engine_->purge_queue("bulk"); });
  ASSERT_TRUE(purged) << purged.error().message;
  EXPECT_EQ(*purged, 20u);
  for (const JobId id : waiting) {
    EXPECT_EQ(engine_->get(id)->state, JobState::Cancelled);
    EXPECT_EQ(engine_->get(id)->error.reason, "PURGED");
  }
  EXPECT_EQ(queued("bulk"), 0u);
  EXPECT_EQ(engine_->get(running)->state, JobState::Running);
  go();
  EXPECT_EQ(must_wait(running).state, JobState::Succeeded);
}

TEST_F(QueuesTest, QueuesAndTheirJobsSurviveARestart) {
  reopen();
  QueueSpec spec = named("bulk");
  spec.mode = QueueMode::Paused;
  spec.shares = 7;
  spec.rate = 60;
  spec.rate_interval = 1min;
  ASSERT_TRUE(create(spec));
  ASSERT_TRUE(create(named("gone")));
  ASSERT_TRUE(remove("gone"));
  const JobId held = must_submit(in("bulk", quick()));
  reopen();
  EXPECT_EQ(engine_->queues().size(), 2u);
  EXPECT_EQ(engine_->queue("bulk")->spec, spec);
  EXPECT_EQ(engine_->queue("bulk")->live, 1u);
  EXPECT_EQ(engine_->get(held)->state, JobState::Queued);
  QueuePatch go;
  go.mode = QueueMode::Active;
  ASSERT_TRUE(update("bulk", go));
  EXPECT_EQ(must_wait(held).state, JobState::Succeeded);
}

TEST_F(QueuesTest, ConfiguredQueuesComeAndFollowTheirLine) {
  reopen();
  QueueSpec line = named("bulk");
  line.shares = 10;
  line.origin = "bulk shares=10";
  engine_->set_configured_queues({line});
  EXPECT_EQ(engine_->queue("bulk")->spec.shares, 10u);
  QueuePatch live;
  live.shares = 20;
  ASSERT_TRUE(update("bulk", live));
  engine_->set_configured_queues({line});  // the same line: the live change stays
  EXPECT_EQ(engine_->queue("bulk")->spec.shares, 20u);
  reopen();
  engine_->set_configured_queues({line});
  EXPECT_EQ(engine_->queue("bulk")->spec.shares, 20u);
  line.shares = 30;
  line.origin = "bulk shares=30";
  engine_->set_configured_queues({line});
  ASSERT_TRUE(zokio::test::eventually([&] { return engine_->queue("bulk")->spec.shares == 30u; }));
}

TEST_F(QueuesTest, ChangeThatCannotBeStoredIsRefusedAndNotInForce) {
  ASSERT_TRUE(create(named("bulk")));
  journal_->fail = true;
  QueuePatch patch;
  patch.shares = 5;
  const auto refused = update("bulk", patch);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "JOURNAL_UNAVAILABLE");
  EXPECT_EQ(engine_->queue("bulk")->spec.shares, 100u);
  EXPECT_EQ(create(named("other")).error().reason, "JOURNAL_UNAVAILABLE");
  EXPECT_FALSE(engine_->queue("other"));
  journal_->fail = false;
  ASSERT_TRUE(update("bulk", patch));
  EXPECT_EQ(engine_->queue("bulk")->spec.shares, 5u);
}

}  // namespace
}  // namespace zokiod::jobs
