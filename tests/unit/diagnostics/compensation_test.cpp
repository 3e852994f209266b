// SPDX-License-Identifier: Apache-2.0
// A worker that is stuck in one task, and what becomes of the tasks behind it.

#include <atomic>

#include "diagnostics_fixture.h"

namespace zokio {
namespace {

RuntimeOptions with(Compensation kind, unsigned extra = 1) {
  RuntimeOptions options;
  options.compensation = kind;
  options.compensation_workers = extra;
  return options;
}

Task<void> hog(std::atomic<int>* stuck, const std::atomic<bool>* stop) {
  ++*stuck;
  while (!stop->load()) cpu_relax();
  co_return;
}
Task<void> count(std::atomic<int>* ran) {
  ++*ran;
  co_return;
}
// Two more, which only this worker has, and then stuck.
Task<void> hog_with_ready_tasks(std::atomic<int>* ran, std::atomic<int>* stuck,
                                const std::atomic<bool>* stop) {
  spawn(&count, ran).detach();
  spawn(&count, ran).detach();
  co_await hog(stuck, stop);
}

// A worker that is stuck in a task; the two that were ready behind it have run all the same.
struct Hog {
  explicit Hog(Runtime& runtime)
      : handle(runtime.spawn(&hog_with_ready_tasks, &ran, &stuck, &stop)) {
    await_that([this] { return ran.load() == 2; });
  }
  void end() {
    stop = true;
    static_cast<void>(handle.wait());
  }

  std::atomic<int> stuck{0};
  std::atomic<int> ran{0};
  std::atomic<bool> stop{false};
  JoinHandle<void> handle;
};

TEST(Compensation, AnExtraWorkerRunsWhatIsReadyBehindTheOnlyOne) {
  auto runtime = make_runtime(1, with(Compensation::ExtraWorker));
  Hog hog(*runtime);
  EXPECT_EQ(runtime->stats().scheduler.workers_extra, 1u);
  EXPECT_EQ(runtime->stats().scheduler.workers_desired, 1u);
  // And what comes from outside.
  auto outside = runtime->spawn(&count, &hog.ran);
  static_cast<void>(outside.wait());
  hog.end();
  // The stuck one is back, so the other goes.
  await_that([&] {
    const auto stats = runtime->stats().scheduler;
    return stats.workers_extra == 0 && stats.workers.size() == 2 &&
           stats.workers[1].state == WorkerState::Empty;
  });
}

TEST(Compensation, NeverMoreThanTheBound) {
  auto runtime = make_runtime(1, with(Compensation::ExtraWorker, 2));
  std::atomic<int> stuck{0};
  std::atomic<bool> stop{false};
  std::vector<JoinHandle<void>> handles;
  for (int i = 0; i < 6; ++i) handles.push_back(runtime->spawn(&hog, &stuck, &stop));
  await_that([&] { return stuck.load() == 3; });
  // All three are stuck and three tasks wait: for ten thresholds nothing more may happen.
  const Instant end = Instant::now() + std::chrono::milliseconds(250);
  await_that([&] { return Instant::now() >= end; });
  EXPECT_EQ(stuck.load(), 3);
  EXPECT_EQ(runtime->stats().scheduler.workers_extra, 2u);
  stop = true;
  for (auto& handle : handles) static_cast<void>(handle.wait());
}

TEST(Compensation, AResizeMeanwhileCountsTheOrdinaryOnes) {
  auto runtime = make_runtime(1, with(Compensation::ExtraWorker));
  Hog hog(*runtime);
  const Result<ResizeReport> grown = runtime->resize_workers_blocking(3);
  ASSERT_TRUE(grown.has_value());
  EXPECT_EQ(grown->reached, 3u);
  EXPECT_EQ(runtime->stats().scheduler.workers_desired, 3u);
  hog.end();
  await_that([&] { return runtime->stats().scheduler.workers_extra == 0; });
  await_that([&] {
    const auto workers = runtime->stats().scheduler.workers;
    return std::ranges::count(workers, WorkerState::Empty, &WorkerSnapshot::state) ==
           static_cast<std::ptrdiff_t>(workers.size()) - 3;
  });
}

TEST(Compensation, WakeLetsOthersTakeOver) {
  auto runtime = make_runtime(2, with(Compensation::Wake));
  Hog hog(*runtime);
  EXPECT_EQ(runtime->stats().scheduler.workers_extra, 0u);
  hog.end();
}

}  // namespace
}  // namespace zokio
