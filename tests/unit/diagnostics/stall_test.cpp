// SPDX-License-Identifier: Apache-2.0
// Stalls: found once, named, with the culprit on the stack; and nothing found where nothing is.

#include <sys/resource.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "diagnostics_fixture.h"
#include "gmock/gmock.h"
#include "zokio/fiber.h"
#include "zokio/group.h"

namespace zokio {
namespace {

using testing::Contains;
using testing::HasSubstr;

class Reports {
 public:
  StallCallback callback() {
    return [this](const StallReport& report) {
      std::scoped_lock guard(mutex_);
      reports_.push_back(report);
      ++count_;
    };
  }
  int count() const { return count_.load(); }
  std::vector<StallReport> take() {
    std::scoped_lock guard(mutex_);
    return reports_;
  }

 private:
  std::mutex mutex_;
  std::vector<StallReport> reports_;
  std::atomic<int> count_{0};
};

StallOptions stalls_after(Duration threshold, unsigned per_minute = 5) {
  StallOptions options;
  options.threshold = threshold;
  options.max_per_minute = per_minute;
  return options;
}

// Keeps its worker until the flag is set. Calls now(), where a sanitizer lets signals through.
[[gnu::noinline]] int64_t culprit(const std::atomic<bool>* stop) {
  int64_t sum = 0;
  while (!stop->load()) sum += Instant::now().ns & 1;
  return sum;
}
[[gnu::noinline]] int64_t accomplice(const std::atomic<bool>* stop) {
  return culprit(stop) + 1;
}
Task<int64_t> hog(const std::atomic<bool>* stop) {
  co_return accomplice(stop);
}

// `spawn` starts hog(stop) on the only worker.
void expect_one_report(Runtime& runtime,
                       const std::function<JoinHandle<int64_t>(std::atomic<bool>*)>& spawn) {
  Reports reports;
  runtime.on_stall(stalls_after(std::chrono::milliseconds(10)), reports.callback());
  std::atomic<bool> stop{false};
  auto handle = spawn(&stop);
  const uint64_t id = handle.id();
  await_that([&] { return reports.count() > 0; });
  // Long enough for a second report, if there were one.
  await_that([&] { return runtime.stats().scheduler.stall_longest_ns > 100'000'000; });
  stop = true;
  static_cast<void>(handle.wait());
  const auto all = reports.take();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].task, id);
  EXPECT_EQ(all[0].task_name, "hog");
  EXPECT_EQ(all[0].worker, 0u);
  EXPECT_GE(all[0].duration, std::chrono::milliseconds(10));
  EXPECT_THAT(all[0].stack, Contains(HasSubstr("culprit"))) << all[0].to_text();
  EXPECT_THAT(all[0].stack, Contains(HasSubstr("hog"))) << all[0].to_text();
  EXPECT_EQ(runtime.stats().scheduler.stalls, 1u);
  EXPECT_EQ(runtime.stalls().size(), 1u);
  runtime.on_stall({}, {});
}

TEST(Stall, IsReportedOnceWithNameAndCulprit) {
  auto runtime = make_runtime(1);
  expect_one_report(*runtime, [&](auto* stop) { return runtime->spawn_named("hog", &hog, stop); });
}

TEST(Stall, OfATaskOfAGroupIsReportedLikewise) {
  auto runtime = make_runtime(1);
  auto group = Group::create(*runtime, {.name = "g"});
  ASSERT_TRUE(group.has_value());
  expect_one_report(*runtime, [&](auto* stop) { return *group->spawn_named("hog", &hog, stop); });
}

Task<int64_t> hog_on_fiber(const std::atomic<bool>* stop) {
  Outcome<int64_t> got =
      co_await fiber(FiberOptions(16 * 1024, "small"), [stop] { return culprit(stop); });
  co_return got.value_or(0);
}

TEST(Stall, OnASmallFiberTheStackIsTakenToo) {
  auto runtime = make_runtime(1);
  Reports reports;
  runtime->on_stall(stalls_after(std::chrono::milliseconds(10)), reports.callback());
  std::atomic<bool> stop{false};
  auto handle = runtime->spawn_named("on fiber", &hog_on_fiber, &stop);
  await_that([&] { return reports.count() > 0; });
  stop = true;
  static_cast<void>(handle.wait());
  const auto all = reports.take();
  EXPECT_EQ(all[0].task_name, "on fiber");
  EXPECT_THAT(all[0].stack, Contains(HasSubstr("culprit"))) << all[0].to_text();
}

TEST(Stall, BeyondTheRateTheyAreOnlyCounted) {
  auto runtime = make_runtime(1);
  Reports reports;
  runtime->on_stall(stalls_after(std::chrono::milliseconds(8), 2), reports.callback());
  for (uint64_t i = 0; i < 4; ++i) {
    std::atomic<bool> stop{false};
    auto handle = runtime->spawn_named("hog", &hog, &stop);
    await_that([&] { return runtime->stats().scheduler.stalls > i; });
    stop = true;
    static_cast<void>(handle.wait());
  }
  await_that([&] { return reports.count() >= 2; });
  EXPECT_EQ(reports.count(), 2);
  EXPECT_EQ(runtime->stats().scheduler.stalls, 4u);
}

Task<void> yields(const std::atomic<bool>* stop) {
  while (!stop->load()) co_await yield_now();
}

TEST(Stall, ABusyRuntimeHasNone) {
  auto runtime = make_runtime(2);
  Reports reports;
  runtime->on_stall(stalls_after(std::chrono::milliseconds(250)), reports.callback());
  std::atomic<bool> stop{false};
  std::vector<JoinHandle<void>> handles;
  for (int i = 0; i < 8; ++i) handles.push_back(runtime->spawn(&yields, &stop));
  const Instant end = Instant::now() + std::chrono::milliseconds(1'500);
  await_that([&] { return Instant::now() >= end; });
  stop = true;
  for (auto& handle : handles) static_cast<void>(handle.wait());
  EXPECT_EQ(reports.count(), 0);
  EXPECT_EQ(runtime->stats().scheduler.stalls, 0u);
}

TEST(Stall, ZeroSwitchesItOff) {
  auto runtime = make_runtime(1);
  Reports reports;
  runtime->on_stall(stalls_after(Duration(0)), reports.callback());
  std::atomic<bool> stop{false};
  auto handle = runtime->spawn(&hog, &stop);
  const Instant end = Instant::now() + std::chrono::milliseconds(100);
  await_that([&] { return Instant::now() >= end; });
  stop = true;
  static_cast<void>(handle.wait());
  EXPECT_EQ(reports.count(), 0);
}

// The whole process, because nobody but the kernel knows who woke.
TEST(Stall, AnIdleRuntimeIsNotWokenByItsWatchdog) {
  auto runtime = make_runtime(4);
  static_cast<void>(runtime->block_on([]() -> Task<void> { co_return; }));
  await_that([&] {
    const auto workers = runtime->stats().scheduler.workers;
    return std::ranges::all_of(
        workers, [](const WorkerSnapshot& worker) { return worker.state == WorkerState::Parked; });
  });
  const auto switches = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
  };
  // The watchdog looks once more after the last worker slept. Then one second by a sleep of this
  // thread, which costs one switch; at a look every 4 ms there would be 250.
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock guard(mutex);
  never.wait_for(guard, std::chrono::milliseconds(200));
  const long before = switches();
  never.wait_for(guard, std::chrono::seconds(1));
  EXPECT_LT(switches() - before, 100);
}

}  // namespace
}  // namespace zokio
