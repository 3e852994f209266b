// SPDX-License-Identifier: Apache-2.0
//
// A million tasks, a million timers, a hundred thousand channels: made, used, gone, and the memory
// back. What is measured is resident memory, after Runtime::trim().

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "zokio/base/sanitizer.h"
#include "zokio/sync/event.h"
#include "zokio/sync/oneshot.h"
#include "zokio/zokio.h"

namespace zokio {
namespace {

uint64_t resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
  return 0;
}

std::unique_ptr<Runtime> make_runtime() {
  RuntimeOptions options;
  options.workers = 2;
  auto runtime = Runtime::create(std::move(options));
  EXPECT_TRUE(runtime.has_value());
  return *std::move(runtime);
}

constexpr uint64_t kMillion = kSanitized ? 50'000 : 1'000'000;

// Sanitizers keep memory of their own.
void expect_back_at(uint64_t before, Runtime& runtime) {
  runtime.trim();
  if (kSanitized) return;
  const uint64_t after = resident_bytes();
  // 32 MiB: the tables of what once was, the caches of two workers, and the heap of the test.
  EXPECT_LE(after, before + (uint64_t{32} << 20)) << "of " << before;
}

Task<void> wait_and_count(sync::Event* gate, std::atomic<uint64_t>* sum, uint64_t i) {
  Result<void> opened = co_await gate->wait();
  if (opened.has_value()) sum->fetch_add(i, std::memory_order_relaxed);
}

Task<Result<void>> park_many(sync::Event* gate, std::atomic<uint64_t>* sum, uint64_t* parked_rss) {
  co_return co_await with_scope(
      [](Scope&, sync::Event* g, std::atomic<uint64_t>* s, uint64_t* rss) -> Task<Result<void>> {
        std::vector<JoinHandle<void>> tasks;
        tasks.reserve(kMillion);
        for (uint64_t i = 0; i < kMillion; ++i) tasks.push_back(spawn(&wait_and_count, g, s, i));
        co_await yield_now();
        *rss = resident_bytes();
        g->set();
        for (auto& task : tasks) ZOKIO_CO_CHECKED(co_await task);
        co_return {};
      },
      gate, sum, parked_rss);
}

TEST(Million, TasksThatWaitAreAllWokenAndTheirMemoryGoesBack) {
  auto runtime = make_runtime();
  runtime->trim();
  const uint64_t before = resident_bytes();
  sync::Event gate;
  std::atomic<uint64_t> sum{0};
  uint64_t parked = 0;
  auto done = runtime->block_on(&park_many, &gate, &sum, &parked);
  ASSERT_TRUE(done.has_value()) << done.error().to_string();
  EXPECT_EQ(sum.load(), kMillion * (kMillion - 1) / 2);
  EXPECT_EQ(runtime->stats().scheduler.tasks_alive, 0u);
  std::printf("%.0f bytes for each of %llu tasks that wait\n",
              static_cast<double>(parked - before) / static_cast<double>(kMillion),
              static_cast<unsigned long long>(kMillion));
  expect_back_at(before, *runtime);
}

Task<void> nap(Instant at, std::atomic<uint64_t>* woken, std::atomic<int64_t>* latest) {
  Result<void> slept = co_await sleep_until(at);
  const int64_t late = Instant::now().ns - at.ns;
  if (!slept.has_value() || late < 0) co_return;
  woken->fetch_add(1, std::memory_order_relaxed);
  int64_t seen = latest->load(std::memory_order_relaxed);
  while (late > seen && !latest->compare_exchange_weak(seen, late, std::memory_order_relaxed)) {
  }
}

Task<void> nap_many(std::atomic<uint64_t>* woken, std::atomic<int64_t>* latest) {
  std::vector<JoinHandle<void>> tasks;
  tasks.reserve(kMillion);
  const Instant from = Instant::now() + std::chrono::seconds(1);
  for (uint64_t i = 0; i < kMillion; ++i)
    tasks.push_back(spawn(&nap, from + std::chrono::microseconds(i % 1'000'000), woken, latest));
  for (auto& task : tasks) static_cast<void>(co_await task);
}

TEST(Million, TimersAllFireOnceNeverEarly) {
  auto runtime = make_runtime();
  runtime->trim();
  const uint64_t before = resident_bytes();
  std::atomic<uint64_t> woken{0};
  std::atomic<int64_t> latest{0};
  ASSERT_TRUE(runtime->block_on(&nap_many, &woken, &latest).has_value());
  EXPECT_EQ(woken.load(), kMillion);
  EXPECT_EQ(runtime->stats().scheduler.timers_pending, 0u);
  std::printf("latest timer: %.2f ms\n", static_cast<double>(latest.load()) / 1e6);
  expect_back_at(before, *runtime);
}

Task<Result<uint64_t>> channels() {
  constexpr uint64_t kChannels = kSanitized ? 10'000 : 100'000;
  std::vector<sync::OneshotSender<uint64_t>> senders;
  std::vector<JoinHandle<Result<uint64_t>>> receivers;
  for (uint64_t i = 0; i < kChannels; ++i) {
    auto [tx, rx] = sync::oneshot<uint64_t>();
    senders.push_back(std::move(tx));
    receivers.push_back(spawn([](sync::OneshotReceiver<uint64_t> r)
                                  -> Task<Result<uint64_t>> { co_return co_await r.recv(); },
                              std::move(rx)));
  }
  co_await yield_now();
  for (uint64_t i = 0; i < kChannels; ++i) senders[i].send(i);
  uint64_t sum = 0;
  for (auto& receiver : receivers) {
    ZOKIO_CO_TRY(const uint64_t value, co_await receiver);
    sum += value;
  }
  if (sum != kChannels * (kChannels - 1) / 2) co_return fail(Errc::DataLoss, "channels");
  co_return sum;
}

TEST(Million, ChannelsDeliverAndTheirMemoryGoesBack) {
  auto runtime = make_runtime();
  runtime->trim();
  const uint64_t before = resident_bytes();
  auto sum = runtime->block_on(&channels);
  ASSERT_TRUE(sum.has_value()) << sum.error().to_string();
  expect_back_at(before, *runtime);
}

}  // namespace
}  // namespace zokio
