// SPDX-License-Identifier: Apache-2.0
// Trace events: what is recorded, what is not, and what a full ring keeps.

#include <atomic>
#include <map>
#include <memory>
#include <thread>

#include "diagnostics_fixture.h"
#include "gmock/gmock.h"
#include "sched/trace.h"
#include "zokio/group.h"

namespace zokio {
namespace {

using testing::HasSubstr;

TEST(TraceRing, KeepsTheNewestInOrder) {
  auto ring = std::make_unique<sched::TraceRing>();
  constexpr uint64_t kMore = 100;
  for (uint64_t i = 0; i < sched::TraceRing::kEvents + kMore; ++i) {
    TraceEvent event;
    event.at_ns = static_cast<int64_t>(i);
    event.value = i * 3;
    event.kind = TraceKind::Steal;
    ring->record(event);
  }
  Trace trace;
  ring->copy(4, trace);
  ASSERT_EQ(trace.events.size(), sched::TraceRing::kEvents);
  EXPECT_EQ(trace.lost, kMore);
  for (uint64_t i = 0; i < trace.events.size(); ++i) {
    const TraceEvent& event = trace.events[i];
    ASSERT_EQ(event.at_ns, static_cast<int64_t>(i + kMore));
    ASSERT_EQ(event.value, (i + kMore) * 3);
    ASSERT_EQ(event.kind, TraceKind::Steal);
    ASSERT_EQ(event.thread, 4u);
  }
}

TEST(TraceRing, AMarkBeginsAnew) {
  auto ring = std::make_unique<sched::TraceRing>();
  ring->record({});
  ring->mark();
  TraceEvent event;
  event.at_ns = 5;
  ring->record(event);
  Trace trace;
  ring->copy(0, trace);
  ASSERT_EQ(trace.events.size(), 1u);
  EXPECT_EQ(trace.events[0].at_ns, 5);
  EXPECT_EQ(trace.lost, 0u);
}

// All five words of an event that is copied are of one event.
TEST(TraceRing, ACopyBesideTheWriterIsWhole) {
  auto ring = std::make_unique<sched::TraceRing>();
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
      TraceEvent event;
      event.at_ns = static_cast<int64_t>(i);
      event.task = event.value = i;
      event.code = event.text = reinterpret_cast<const char*>(i);
      ring->record(event);
    }
  });
  for (int i = 0; i < 30; ++i) {
    Trace trace;
    ring->copy(0, trace);
    for (const TraceEvent& event : trace.events) {
      const auto at = static_cast<uint64_t>(event.at_ns);
      ASSERT_EQ(event.task, at);
      ASSERT_EQ(event.value, at);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(event.code), at);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(event.text), at);
    }
  }
  stop = true;
  writer.join();
}

Task<void> naps() {
  for (int i = 0; i < 3; ++i) static_cast<void>(co_await sleep(std::chrono::milliseconds(1)));
}

std::vector<TraceEvent> events_of(const Trace& trace, uint64_t task) {
  std::vector<TraceEvent> own;
  for (const TraceEvent& event : trace.events)
    if (event.task == task) own.push_back(event);
  return own;
}

// Of a task that does naps(), started from outside the workers.
void expect_life_of_naps(const std::vector<TraceEvent>& own) {
  ASSERT_FALSE(own.empty());
  EXPECT_EQ(own.front().kind, TraceKind::Spawn);
  EXPECT_STREQ(own.front().text, "naps");
  EXPECT_EQ(own.front().thread, kTraceOutside);
  const auto of = [&own](TraceKind kind) {
    return std::ranges::count(own, kind, &TraceEvent::kind);
  };
  EXPECT_EQ(of(TraceKind::Run), 4);
  EXPECT_EQ(of(TraceKind::Wake), 4);  // by its spawn, and by three timers
  EXPECT_EQ(of(TraceKind::End), 1);
  int after_sleep = 0;
  for (const TraceEvent& event : own)
    if (event.kind == TraceKind::Run && event.text != nullptr && event.text == std::string("sleep"))
      ++after_sleep;
  EXPECT_EQ(after_sleep, 3);
}

TEST(Trace, ShowsTheLifeOfATask) {
  auto runtime = make_runtime(1);
  static_cast<void>(runtime->block_on(&naps));
  runtime->start_trace(std::chrono::hours(1));
  auto handle = runtime->spawn_named("naps", &naps);
  const uint64_t id = handle.id();
  static_cast<void>(handle.wait());
  static_cast<void>(runtime->block_on(&naps));  // the worker is through with the other one
  const Trace trace = runtime->stop_trace();
  expect_life_of_naps(events_of(trace, id));
  EXPECT_GT(std::ranges::count(trace.events, TraceKind::Park, &TraceEvent::kind), 0);
  const std::string json = trace.to_chrome_json();
  EXPECT_THAT(json, HasSubstr("\"name\":\"zokio::(anonymous namespace)::naps()\""));
  EXPECT_THAT(json, HasSubstr("\"after\":\"sleep\""));
  EXPECT_THAT(json, HasSubstr("\"name\":\"worker 0\""));
}

TEST(Trace, ShowsTheLifeOfATaskOfAGroup) {
  auto runtime = make_runtime(1);
  auto group = Group::create(*runtime, {.name = "g"});
  ASSERT_TRUE(group.has_value());
  static_cast<void>(group->spawn(&naps)->wait());
  runtime->start_trace(std::chrono::hours(1));
  auto handle = *group->spawn_named("naps", &naps);
  const uint64_t id = handle.id();
  static_cast<void>(handle.wait());
  static_cast<void>(group->spawn(&naps)->wait());
  expect_life_of_naps(events_of(runtime->stop_trace(), id));
}

Task<void> yields(int times) {
  for (int i = 0; i < times; ++i) co_await yield_now();
}

// Polls of groups are timed as all others are, traced or not.
TEST(Trace, PollsOfGroupsAreTimed) {
  auto runtime = make_runtime(1);
  auto group = Group::create(*runtime, {.name = "g"});
  ASSERT_TRUE(group.has_value());
  const auto timed = [&] { return runtime->stats().scheduler.poll_ns.count; };
  for (const bool traced : {false, true}) {
    const uint64_t before = timed();
    if (traced) runtime->start_trace(std::chrono::hours(1));
    static_cast<void>(group->spawn(&yields, 3'000)->wait());
    EXPECT_GE(timed(), before + (traced ? 3'000 : 50));
    static_cast<void>(runtime->stop_trace());
  }
}

// As a viewer draws it: in the row of a worker nothing that lasts reaches into the next.
TEST(Trace, WhatLastsDoesNotOverlap) {
  auto runtime = make_runtime(2);
  runtime->start_trace(std::chrono::hours(1));
  auto other = runtime->spawn(&naps);
  static_cast<void>(runtime->block_on(&yields, 300));
  static_cast<void>(other.wait());
  const Trace trace = runtime->stop_trace();
  std::map<uint32_t, int64_t> ends;
  for (const TraceEvent& event : trace.events) {
    if (event.kind != TraceKind::Run && event.kind != TraceKind::Park) continue;
    int64_t& end = ends[event.thread];
    EXPECT_GE(event.at_ns, end);
    end = event.at_ns + static_cast<int64_t>(event.value);
  }
  EXPECT_FALSE(ends.empty());
}

TEST(Trace, OffRecordsNothing) {
  auto runtime = make_runtime(1);
  static_cast<void>(runtime->block_on(&naps));
  EXPECT_TRUE(runtime->stop_trace().events.empty());
  runtime->start_trace(std::chrono::hours(1));
  static_cast<void>(runtime->block_on(&naps));
  EXPECT_FALSE(runtime->stop_trace().events.empty());
  runtime->start_trace(Duration(0));  // over before it began
  static_cast<void>(runtime->block_on(&naps));
  EXPECT_TRUE(runtime->stop_trace().events.empty());
}

TEST(Trace, ShowsAResize) {
  auto runtime = make_runtime(1);
  runtime->start_trace(std::chrono::hours(1));
  ASSERT_TRUE(runtime->resize_workers_blocking(3).has_value());
  const Trace trace = runtime->stop_trace();
  const auto resize = std::ranges::find(trace.events, TraceKind::Resize, &TraceEvent::kind);
  ASSERT_NE(resize, trace.events.end());
  EXPECT_EQ(resize->value, 3u);
}

}  // namespace
}  // namespace zokio
