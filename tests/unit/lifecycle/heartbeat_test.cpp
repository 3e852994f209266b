// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/heartbeat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace zokiod::lifecycle {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using zokio::WorkerState;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kNow = 1000 * kSecond;

zokio::SchedulerSnapshot workers(std::initializer_list<std::pair<WorkerState, int64_t>> list) {
  zokio::SchedulerSnapshot out;
  uint32_t slot = 0;
  for (const auto& [state, age] : list) {
    zokio::WorkerSnapshot worker;
    worker.slot = slot++;
    worker.state = state;
    worker.heartbeat_ns = kNow - age;
    out.workers.push_back(worker);
  }
  return out;
}

TEST(Heartbeat, FreshIsLive) {
  EXPECT_THAT(stuck_parts(workers({{WorkerState::Running, kSecond}, {WorkerState::Running, 0}}),
                          kNow, kNow, 10s),
              IsEmpty());
}

TEST(Heartbeat, AParkedOrEmptyWorkerMayBeSilent) {
  EXPECT_THAT(stuck_parts(workers({{WorkerState::Parked, 500 * kSecond},
                                   {WorkerState::Empty, 900 * kSecond}}),
                          kNow, kNow, 10s),
              IsEmpty());
}

TEST(Heartbeat, AStuckWorkerAndAStuckWriterAreNamed) {
  EXPECT_THAT(stuck_parts(workers({{WorkerState::Running, kSecond},
                                   {WorkerState::Running, 12 * kSecond},
                                   {WorkerState::Retiring, 11 * kSecond}}),
                          kNow - 30 * kSecond, kNow, 10s),
              ElementsAre("worker 1: in one task for 12.0 s", "worker 2: in one task for 11.0 s",
                          "store writer: no sign for 30.0 s"));
}

}  // namespace
}  // namespace zokiod::lifecycle
