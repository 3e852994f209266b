// SPDX-License-Identifier: Apache-2.0
#include "engine_fixture.h"
#include "jobs/events.h"

namespace zokiod::jobs {
namespace {

class Watch : public EngineTest {
 protected:
  Reported<WatchItem> next(Subscription& s, zokio::Duration progress = 60s) {
    return on_runtime([&] { return s.next(progress); });
  }
  JobEvent must_event(Subscription& s) {
    const auto item = next(s);
    EXPECT_TRUE(item) << (item ? "" : item.error().message);
    if (!item || !std::holds_alternative<JobEvent>(*item)) return {};
    return std::get<JobEvent>(*item);
  }
};

TEST_F(Watch, EveryStepInOrderWithoutGaps) {
  auto watch = engine_->watch({});
  ASSERT_TRUE(watch);
  const JobId id = must_submit(quick());
  const JobEvent queued = must_event(**watch), running = must_event(**watch),
                 done = must_event(**watch);
  EXPECT_EQ(queued.state, JobState::Queued);
  EXPECT_FALSE(queued.previous);
  EXPECT_EQ(running.state, JobState::Running);
  EXPECT_EQ(running.previous, JobState::Queued);
  EXPECT_EQ(running.attempt, 1u);
  EXPECT_EQ(done.state, JobState::Succeeded);
  EXPECT_EQ(done.outcome, model::Outcome::Succeeded);
  EXPECT_EQ(done.id, id);
  EXPECT_EQ(done.kind, "synthetic.spawn");
  EXPECT_EQ(running.revision, queued.revision + 1);
  EXPECT_EQ(done.revision, queued.revision + 2);
  EXPECT_EQ(engine_->stats().revision, done.revision);
}

TEST_F(Watch, ResumesWhereItStoppedAndAListLeadsIntoIt) {
  const JobId first = must_submit(quick());
  must_wait(first);
  uint64_t revision = 0;
  EXPECT_EQ(engine_->list({}, std::nullopt, 10, &revision).jobs.size(), 1u);
  const JobId second = must_submit(quick());
  must_wait(second);
  auto watch = engine_->watch({revision + 1, {}, ""});
  ASSERT_TRUE(watch);
  EXPECT_EQ(must_event(**watch).id, second);
  auto again = engine_->watch({revision, {}, ""});
  ASSERT_TRUE(again);
  EXPECT_EQ(must_event(**again).id, first);  // its last event
}

TEST_F(Watch, FiltersByJobAndKind) {
  const JobId other = must_submit(quick());
  must_wait(other);
  const uint64_t from = engine_->stats().revision - 2;
  const JobId id = must_submit(quick());
  must_wait(id);
  auto watch = engine_->watch({from, id, ""});
  ASSERT_TRUE(watch);
  EXPECT_EQ(must_event(**watch).id, id);
  auto none = engine_->watch({from, {}, "exec"});
  ASSERT_TRUE(none);
  const auto item = next(**none, 20ms);
  ASSERT_TRUE(item);
  ASSERT_TRUE(std::holds_alternative<WatchProgress>(*item));
  EXPECT_EQ(std::get<WatchProgress>(*item).revision, engine_->stats().revision);
}

TEST_F(Watch, OfThePastThatIsGoneAndOfTheFuture) {
  for (const uint64_t revision : {uint64_t{1}, engine_->stats().revision + 1000}) {
    const auto watch = engine_->watch({revision, {}, ""});
    ASSERT_FALSE(watch);
    EXPECT_EQ(watch.error().reason, "REVISION_COMPACTED");
    EXPECT_EQ(watch.error().metadata.count("compact_revision"), 1u);
  }
}

TEST_F(Watch, CancelLosesNoEvent) {
  auto watch = engine_->watch({});
  ASSERT_TRUE(watch);
  auto waiting = runtime_->spawn([](Subscription* s) { return s->next(1h); }, watch->get());
  waiting.cancel();
  ASSERT_TRUE(zokio::test::eventually([&] { return waiting.finished(); }));
  const JobId id = must_submit(quick());
  EXPECT_EQ(must_event(**watch).id, id);
}

// The feed alone, with a short history.
class Feed : public Watch {
 protected:
  static JobEvent event() {
    JobEvent out;
    out.kind = "exec";
    return out;
  }
  std::shared_ptr<EventFeed> feed_ = std::make_shared<EventFeed>(10, 100);
};

TEST_F(Feed, ASlowSubscriberIsEndedWithAReasonAndCounted) {
  auto slow = feed_->subscribe({});
  ASSERT_TRUE(slow);
  EXPECT_EQ(feed_->subscribers(), 1u);
  for (int i = 0; i < 10; ++i) feed_->publish(event());
  EXPECT_EQ(must_event(**slow).revision, 101u);
  feed_->publish(event());
  EXPECT_EQ(must_event(**slow).revision, 102u);  // just in time
  for (int i = 0; i < 2; ++i) feed_->publish(event());
  const auto item = next(**slow);
  ASSERT_FALSE(item);
  EXPECT_EQ(item.error().reason, "SUBSCRIBER_LAGGED");
  EXPECT_EQ(item.error().metadata.at("compact_revision"), "104");
  EXPECT_EQ(feed_->lagged(), 1u);
  slow->reset();
  EXPECT_EQ(feed_->subscribers(), 0u);
}

TEST_F(Feed, ManyReadersSeeTheSameWhileItIsWritten) {
  auto feed = std::make_shared<EventFeed>(100'000, 0);
  std::vector<std::unique_ptr<Subscription>> readers;
  for (int i = 0; i < 4; ++i) readers.push_back(*feed->subscribe({}));
  std::jthread writer([&] {
    for (int i = 0; i < 5000; ++i) feed->publish(event());
  });
  for (auto& reader : readers)
    for (uint64_t i = 1; i <= 5000; ++i) ASSERT_EQ(must_event(*reader).revision, i);
}

TEST_F(Feed, ThereIsALimitOfWatches) {
  std::vector<std::unique_ptr<Subscription>> all;
  while (true) {
    auto one = feed_->subscribe({});
    if (!one) {
      EXPECT_EQ(one.error().reason, "TOO_MANY_WATCHES");
      break;
    }
    all.push_back(*std::move(one));
    ASSERT_LE(all.size(), 5000u);
  }
  EXPECT_EQ(all.size(), 1024u);
}

}  // namespace
}  // namespace zokiod::jobs
