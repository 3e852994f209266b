// SPDX-License-Identifier: Apache-2.0
#include "rpc/runtime_control.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "zokio/runtime.h"

namespace zokiod::rpc {
namespace {

class RuntimeControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    zokio::RuntimeOptions options;
    options.workers = 2;
    options.reactors = 1;
    auto made = zokio::Runtime::create(options);
    ASSERT_TRUE(made) << made.error().to_string();
    runtime_ = *std::move(made);
    control_ = std::make_unique<RuntimeControl>(*runtime_);
  }

  model::Reported<RuntimeUpdated> update(RuntimeUpdate wanted) {
    return control_->update_blocking(std::move(wanted));
  }
  uint64_t in_use(const std::string& pool) {
    for (const auto& one : runtime_->stats().pools)
      if (one.name == pool) return one.in_use_bytes;
    return 0;
  }

  std::unique_ptr<zokio::Runtime> runtime_;
  std::unique_ptr<RuntimeControl> control_;
};

RuntimeUpdate workers(uint32_t count) {
  RuntimeUpdate out;
  out.workers = count;
  return out;
}

TEST_F(RuntimeControlTest, BeginsWithWhatIs) {
  const auto view = control_->view();
  EXPECT_EQ(view.desired.workers, 2u);
  EXPECT_EQ(view.desired.reactors, 1u);
  EXPECT_EQ(view.desired.pools.size(), view.actual.pools.size() + 1) << "and all of them together";
  EXPECT_EQ(view.desired.pools.back().name, "total");
  EXPECT_EQ(view.generation, 1u);
  EXPECT_EQ(view.observed_generation, 1u);
  EXPECT_FALSE(view.etag.empty());
  for (const auto& condition : view.conditions) EXPECT_FALSE(condition.status) << condition.type;
}

TEST_F(RuntimeControlTest, CarriesOutAndReports) {
  const auto done = update(workers(4));
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(done->changes.size(), 1u);
  EXPECT_EQ(done->changes[0].component, "workers");
  EXPECT_EQ(done->changes[0].from, 2u);
  EXPECT_EQ(done->changes[0].reached, 4u);
  EXPECT_EQ(done->view.generation, 2u);
  EXPECT_EQ(done->view.observed_generation, 2u);
  EXPECT_EQ(runtime_->stats().scheduler.workers_desired, 4u);
}

TEST_F(RuntimeControlTest, RingsChangeTheirSize) {
  RuntimeUpdate wanted;
  wanted.ring_entries = 1000;
  wanted.receive_buffers = 64;
  const auto done = update(std::move(wanted));
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(done->changes.size(), 2u);
  EXPECT_EQ(done->changes[0].component, "rings");
  EXPECT_EQ(done->changes[0].from, 256u);
  EXPECT_EQ(done->changes[0].requested, 1024u);
  EXPECT_EQ(done->changes[1].component, "receive_buffers");
  EXPECT_EQ(done->view.desired.ring_entries, 1024u);
  EXPECT_EQ(done->view.desired.receive_buffers, 64u);
  const auto stats = runtime_->stats();
  if (stats.io.backend == "epoll") {
    EXPECT_EQ(done->changes[0].way, "epoll has no rings");
    return;
  }
  EXPECT_EQ(done->changes[0].reached, 1024u);
  for (const auto& reactor : stats.io.reactors) EXPECT_EQ(reactor.ring_entries, 1024u);
}

TEST_F(RuntimeControlTest, RefusesRingsThatCannotBe) {
  for (const uint32_t entries : {0u, 31u, 4097u}) {
    RuntimeUpdate wanted;
    wanted.ring_entries = entries;
    const auto done = update(std::move(wanted));
    ASSERT_FALSE(done) << entries;
    EXPECT_EQ(done.error().metadata.at("field"), "runtime.desired.ring_entries");
  }
  RuntimeUpdate wanted;
  wanted.receive_buffers = 1;
  EXPECT_FALSE(update(std::move(wanted)));
  EXPECT_EQ(control_->generation(), 1u);
}

TEST_F(RuntimeControlTest, SameAgainChangesNothing) {
  const auto etag = control_->view().etag;
  const auto done = update(workers(2));
  ASSERT_TRUE(done);
  EXPECT_TRUE(done->changes.empty());
  EXPECT_EQ(done->view.generation, 1u);
  EXPECT_EQ(done->view.etag, etag);
}

TEST_F(RuntimeControlTest, RefusesWhatCannotBe) {
  RuntimeUpdate wanted;
  wanted.workers = 0;
  wanted.reactors = kReactorsMax + 1;
  wanted.pools = {{"frames", 0}, {"nonsense", 1}};
  const auto done = update(wanted);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().error.code, zokio::Errc::InvalidArgument);
  EXPECT_EQ(done.error().reason, model::reason::kInvalidField);
  EXPECT_EQ(done.error().violations.size(), 3u) << "all of them at once";
  EXPECT_EQ(control_->generation(), 1u);
  EXPECT_EQ(runtime_->stats().scheduler.workers_desired, 2u);
}

TEST_F(RuntimeControlTest, RefusesAStaleEtagAndNamesBothGenerations) {
  RuntimeUpdate stale = workers(5);
  stale.etag = control_->view().etag;
  ASSERT_TRUE(update(workers(3)));
  const auto done = update(stale);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().error.code, zokio::Errc::Aborted);
  EXPECT_EQ(done.error().reason, reason::kRuntimeChanged);
  EXPECT_EQ(done.error().metadata.at("generation"), "2");
  EXPECT_EQ(done.error().metadata.at("requested_generation"), "1");
  EXPECT_EQ(runtime_->stats().scheduler.workers_desired, 3u);
}

TEST_F(RuntimeControlTest, AnEtagOfAnotherProcessNeverFits) {
  zokio::RuntimeOptions options;
  options.workers = 1;
  auto other = zokio::Runtime::create(options);
  ASSERT_TRUE(other);
  RuntimeUpdate wanted = workers(3);
  wanted.etag = RuntimeControl(**other).view().etag;
  EXPECT_FALSE(update(wanted));
}

TEST_F(RuntimeControlTest, ValidateOnlyShowsAndChangesNothing) {
  RuntimeUpdate wanted = workers(6);
  wanted.validate_only = true;
  const auto done = update(wanted);
  ASSERT_TRUE(done);
  ASSERT_EQ(done->changes.size(), 1u);
  EXPECT_EQ(done->changes[0].requested, 6u);
  EXPECT_EQ(done->view.desired.workers, 6u);
  EXPECT_EQ(control_->view().desired.workers, 2u);
  EXPECT_EQ(runtime_->stats().scheduler.workers_desired, 2u);
  EXPECT_EQ(control_->generation(), 1u);
}

zokio::Task<void> hold_until(std::atomic<bool>* stop) {
  while (!stop->load()) co_await zokio::yield_now();
}

TEST_F(RuntimeControlTest, RefusesAPoolBelowTheBytesInUseAndAppliesNothing) {
  std::atomic<bool> stop{false};
  auto task = runtime_->spawn(&hold_until, &stop);  // its frame is in the pool
  RuntimeUpdate wanted = workers(4);
  wanted.pools = {{"frames", 1}};
  const auto done = update(wanted);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().error.code, zokio::Errc::FailedPrecondition);
  EXPECT_EQ(done.error().reason, reason::kResizeInfeasible);
  EXPECT_EQ(done.error().metadata.at("pool"), "frames");
  EXPECT_GT(std::stoull(done.error().metadata.at("in_use_bytes")), 0u);
  ASSERT_EQ(done.error().violations.size(), 1u);
  EXPECT_EQ(done.error().violations[0].field, "pool.frames");
  EXPECT_EQ(control_->generation(), 1u);
  EXPECT_EQ(runtime_->stats().scheduler.workers_desired, 2u) << "all or nothing";
  stop = true;
  while (!task.finished()) std::this_thread::yield();
}

TEST_F(RuntimeControlTest, PoolLimitsHoldAndGo) {
  RuntimeUpdate wanted;
  wanted.pools = {{"buffers", 64u << 20}};
  auto done = update(wanted);
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(done->changes.size(), 1u);
  EXPECT_EQ(done->changes[0].component, "pool.buffers");
  wanted.pools = {{"buffers", 0}};
  done = update(wanted);
  ASSERT_TRUE(done) << done.error().message;
  for (const auto& pool : runtime_->stats().pools) EXPECT_EQ(pool.limit_bytes, 0u) << pool.name;
}

TEST_F(RuntimeControlTest, RequestIdReplaysTheAnswer) {
  RuntimeUpdate wanted = workers(3);
  wanted.request_id = "a";
  wanted.etag = control_->view().etag;
  const auto first = update(wanted);
  ASSERT_TRUE(first);
  const auto again = update(wanted);  // its etag is stale by now
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->view.generation, first->view.generation);
  EXPECT_EQ(again->changes.size(), 1u);
  EXPECT_EQ(control_->generation(), 2u);
  wanted.workers = 4;
  const auto reused = update(wanted);
  ASSERT_FALSE(reused);
  EXPECT_EQ(reused.error().reason, model::reason::kRequestIdReused);
}

TEST_F(RuntimeControlTest, OneOfManyWithTheSameEtagWins) {
  const auto etag = control_->view().etag;
  std::atomic<int> won{0};
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < 6; ++i)
    threads.emplace_back([&, i] {
      RuntimeUpdate wanted = workers(3 + i);
      wanted.etag = etag;
      const auto done = update(wanted);
      if (done) {
        ++won;
      } else {
        EXPECT_EQ(done.error().reason, reason::kRuntimeChanged);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(won.load(), 1);
  EXPECT_EQ(control_->generation(), 2u);
}

TEST_F(RuntimeControlTest, FiguresCountByDirectionAndResult) {
  ASSERT_TRUE(update(workers(4)));
  ASSERT_TRUE(update(workers(1)));
  ASSERT_FALSE(update(workers(0)));
  const auto figures = control_->figures();
  ASSERT_GE(figures.size(), 4u) << "workers, reactors, and the pools from the start";
  EXPECT_EQ(figures[0].component, "workers");
  EXPECT_EQ(figures[0].up_ok, 1u);
  EXPECT_EQ(figures[0].down_ok, 1u);
  EXPECT_EQ(figures[0].up_failed + figures[0].down_failed, 0u);
  EXPECT_NE(figures[0].last_unix_ms, 0);
  EXPECT_EQ(figures[1].last_unix_ms, 0);
}

}  // namespace
}  // namespace zokiod::rpc
