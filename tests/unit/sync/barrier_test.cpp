// SPDX-License-Identifier: Apache-2.0
#include "zokio/sync/barrier.h"

#include "sync_fixture.h"

namespace zokio::test {
namespace {

class BarrierTest : public Sync {};

struct Meeting {
  explicit Meeting(uint32_t n) : barrier(n) {}
  sync::Barrier barrier;
  std::atomic<int> arrived{0};
  std::atomic<bool> early{false};
};

Task<Result<int>> meet(Meeting* meeting, int tasks, int rounds) {
  int led = 0;
  for (int round = 1; round <= rounds; ++round) {
    meeting->arrived.fetch_add(1);
    ZOKIO_CO_TRY(const bool leader, co_await meeting->barrier.wait());
    if (meeting->arrived.load() < round * tasks) meeting->early = true;
    if (leader) ++led;
  }
  co_return led;
}

TEST_P(BarrierTest, NobodyPassesEarlyAndOneLeads) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    constexpr int kTasks = 7, kRounds = 500;
    Meeting meeting(kTasks);
    std::vector<JoinHandle<Result<int>>> tasks;
    for (int i = 0; i < kTasks; ++i) tasks.push_back(spawn(meet, &meeting, kTasks, kRounds));
    int led = 0;
    for (auto& task : tasks) {
      ZOKIO_CO_TRY(int mine, co_await task);
      led += mine;
    }
    EXPECT_FALSE(meeting.early.load());
    co_return led;
  });
  EXPECT_EQ(*outcome, 500);
}

TEST_P(BarrierTest, ACancelledTaskHasNotArrived) {
  auto outcome = runtime_->block_on([]() -> Task<void> {
    Meeting meeting(2);
    auto first = spawn(meet, &meeting, 2, 1);
    co_await until(&meeting.arrived, 1);
    first.cancel();
    auto cut = co_await first;
    EXPECT_EQ(cut.error().code, Errc::Cancelled);
    auto second = spawn(meet, &meeting, 2, 1);
    co_await until(&meeting.arrived, 2);
    for (int i = 0; i < 10; ++i) co_await yield_now();
    EXPECT_FALSE(second.finished());
    auto leader = co_await meeting.barrier.wait();
    CO_ASSERT_OK(leader);
    auto other = co_await second;
    CO_ASSERT_OK(other);
    EXPECT_EQ(*leader + *other, 1);
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(BarrierTest, OfOneNeverWaits) {
  auto outcome = runtime_->block_on([]() -> Task<bool> {
    sync::Barrier barrier(1);
    bool led = true;
    for (int i = 0; i < 1000; ++i) led = led && (co_await barrier.wait()).value_or(false);
    co_return led;
  });
  EXPECT_TRUE(*outcome);
}

ZOKIO_SYNC_MATRIX(BarrierTest);

}  // namespace
}  // namespace zokio::test
