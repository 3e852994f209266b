// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <memory>
#include <random>
#include <vector>

#include "base/rng.h"
#include "runtime_fixture.h"
#include "seed.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using Resize = test::RuntimeTest;

struct Load {
  std::atomic<uint64_t> started{0};
  std::atomic<uint64_t> ended{0};
  std::atomic<bool> stop{false};
};

Task<Result<void>> churn(Load* load, uint64_t seed) {
  Rng random(seed);
  while (!load->stop.load(std::memory_order_relaxed)) {
    load->started.fetch_add(1);
    auto child = spawn([]() -> Task<int> {
      co_await yield_now();
      co_return 1;
    });
    if (random.below(4) == 0)
      ZOKIO_CO_CHECKED(co_await sleep(std::chrono::microseconds(random.below(3000))));
    auto value = co_await child;
    if (!value.has_value() || *value != 1) co_return fail(Errc::Internal, "child");
    load->ended.fetch_add(1);
  }
  co_return {};
}

unsigned running(const RuntimeSnapshot& stats) {
  unsigned count = 0;
  for (const WorkerSnapshot& worker : stats.scheduler.workers)
    if (worker.state != WorkerState::Empty) ++count;
  return count;
}

TEST_P(Resize, ReachesWhatWasAskedFor) {
  for (unsigned target : {8u, 1u, 3u, 2u, 8u, 1u}) {
    auto report = runtime_->resize_workers_blocking(target);
    ASSERT_TRUE(report.has_value()) << report.error().to_string();
    EXPECT_EQ(report->reached, target);
    EXPECT_EQ(running(runtime_->stats()), target);
  }
  for (unsigned target : {4u, 1u, 2u, 3u, 1u}) {
    auto report = runtime_->resize_reactors_blocking(target);
    ASSERT_TRUE(report.has_value()) << report.error().to_string();
    EXPECT_EQ(report->reached, target);
  }
}

// Threads of workers that went are used again; of very many, most end soon.
TEST_P(Resize, ThreadsAreKept) {
  const auto kept = [&] { return runtime_->stats().scheduler.kept_threads; };
  EXPECT_EQ(kept(), 0u);
  ASSERT_TRUE(runtime_->resize_workers_blocking(8).has_value());
  ASSERT_TRUE(runtime_->resize_workers_blocking(1).has_value());
  EXPECT_EQ(kept(), 7u);
  const auto threads = test::open_threads();
  ASSERT_TRUE(runtime_->resize_workers_blocking(5).has_value());
  EXPECT_EQ(kept(), 3u);
  EXPECT_EQ(test::open_threads(), threads);
  ASSERT_TRUE(runtime_->resize_workers_blocking(64).has_value());
  EXPECT_EQ(kept(), 0u);
  ASSERT_TRUE(runtime_->resize_workers_blocking(1).has_value());
  EXPECT_TRUE(test::eventually([&] { return kept() <= 32; }));
}

TEST_P(Resize, RefusesTheImpossible) {
  EXPECT_EQ(runtime_->resize_workers_blocking(0).error().code, Errc::InvalidArgument);
  EXPECT_EQ(runtime_->resize_workers_blocking(257).error().code, Errc::InvalidArgument);
  EXPECT_EQ(runtime_->resize_reactors_blocking(0).error().code, Errc::InvalidArgument);
  EXPECT_EQ(runtime_->resize_reactors_blocking(65).error().code, Errc::InvalidArgument);
  EXPECT_EQ(runtime_->resize_pool("nonsense", 1 << 20).error().code, Errc::NotFound);
  auto on_worker = runtime_->block_on(
      [](Runtime* rt) -> Task<Result<ResizeReport>> { co_return rt->resize_workers_blocking(2); },
      runtime_.get());
  EXPECT_EQ(on_worker.error().code, Errc::FailedPrecondition);
}

TEST_P(Resize, CanBeAwaitedFromATask) {
  auto outcome = runtime_->block_on(
      [](Runtime* rt) -> Task<Result<uint64_t>> {
        ZOKIO_CO_TRY(auto grown, co_await rt->resize_workers(4));
        ZOKIO_CO_TRY(auto shrunk, co_await rt->resize_workers(1));
        co_return grown.reached * 10 + shrunk.reached;
      },
      runtime_.get());
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(*outcome, 41u);
}

// Timers armed on workers that go must fire, once and in time.
TEST_P(Resize, TimersSurviveTheirWorker) {
  ASSERT_TRUE(runtime_->resize_workers_blocking(8).has_value());
  std::atomic<int> fired{0};
  for (int i = 0; i < 400; ++i)
    runtime_
        ->spawn(
            [](std::atomic<int>* f) -> Task<void> {
              Result<void> slept = co_await sleep(100ms);
              if (slept.has_value()) f->fetch_add(1);
            },
            &fired)
        .detach();
  ASSERT_TRUE(test::eventually([&] { return runtime_->stats().scheduler.timers_pending >= 300; }));
  ASSERT_TRUE(runtime_->resize_workers_blocking(1).has_value());
  EXPECT_TRUE(test::eventually([&] { return fired.load() == 400; }));
  EXPECT_EQ(runtime_->stats().scheduler.timers_pending, 0u);
}

TEST_P(Resize, NothingIsLostUnderLoad) {
  ZOKIO_SEED_TRACE();
  std::mt19937_64 random(test::test_seed());
  auto load = std::make_unique<Load>();
  std::vector<JoinHandle<Result<void>>> tasks;
  for (int i = 0; i < 32; ++i) tasks.push_back(runtime_->spawn(churn, load.get(), random()));
  SchedulerSnapshot last = runtime_->stats().scheduler;
  for (int i = 0; i < 120; ++i) {
    const bool workers = random() % 3 != 0;
    const unsigned target = 1 + static_cast<unsigned>(random() % (workers ? 8 : 4));
    auto report = workers ? runtime_->resize_workers_blocking(target)
                          : runtime_->resize_reactors_blocking(target);
    ASSERT_TRUE(report.has_value()) << report.error().to_string();
    ASSERT_EQ(report->reached, target);
    const SchedulerSnapshot now = runtime_->stats().scheduler;
    ASSERT_GE(now.tasks_spawned, last.tasks_spawned);
    for (size_t w = 0; w < last.workers.size(); ++w) {
      ASSERT_GE(now.workers[w].polls, last.workers[w].polls);
      ASSERT_GE(now.workers[w].busy_ns, last.workers[w].busy_ns);
    }
    last = now;
  }
  load->stop = true;
  for (auto& task : tasks) {
    auto ended = runtime_->block_on(
        [](JoinHandle<Result<void>>* h) -> Task<Result<void>> { co_return co_await *h; }, &task);
    EXPECT_TRUE(ended.has_value()) << ended.error().to_string();
  }
  EXPECT_EQ(load->started.load(), load->ended.load());
  EXPECT_GT(load->ended.load(), 0u);
}

ZOKIO_RUNTIME_MATRIX(Resize);

}  // namespace
}  // namespace zokio
