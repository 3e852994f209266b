// SPDX-License-Identifier: Apache-2.0
#include "zokio/select.h"

#include <stdexcept>

#include "runtime_fixture.h"
#include "zokio/sync/oneshot.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using Select = test::RuntimeTest;

Task<int> after(Duration delay, int value) {
  Result<void> slept = co_await sleep(delay);
  co_return slept.has_value() ? value : -value;
}
Task<Result<int>> fails_after(Duration delay) {
  ZOKIO_CO_CHECKED(co_await sleep(delay));
  co_return fail(Errc::DataLoss, "fails_after");
}
Task<Result<void>> waits() {
  co_return co_await sleep(1h);
}
Task<int> throws() {
  throw std::runtime_error("racer");
  co_return 0;
}

TEST_P(Select, TakesTheFirstAndCancelsTheRest) {
  auto won = runtime_->block_on([]() -> Task<Result<int>> {
    auto selected = co_await select(after(1h, 1), after(1ms, 2), waits());
    if (selected.index != 1) co_return fail(Errc::Internal, "index");
    co_return std::get<1>(selected.outcome);
  });
  ASSERT_TRUE(won.has_value()) << won.error().to_string();
  EXPECT_EQ(*won, 2);
  EXPECT_EQ(runtime_->stats().scheduler.tasks_alive, 0u);
}

TEST_P(Select, ErrorAndExceptionAreOutcomesToo) {
  auto failed = runtime_->block_on([]() -> Task<Result<int>> {
    auto selected = co_await select(fails_after(1ms), waits());
    co_return std::get<0>(selected.outcome);
  });
  EXPECT_EQ(failed.error().code, Errc::DataLoss);
  auto thrown = runtime_->block_on([]() -> Task<Result<int>> {
    auto selected = co_await select(waits(), throws());
    co_return std::get<1>(selected.outcome);
  });
  EXPECT_EQ(thrown.error().detail, Detail::Panicked);
}

TEST_P(Select, CancelReachesAllRacers) {
  auto outcome = runtime_->block_on([]() -> Task<Result<size_t>> {
    auto task = spawn([]() -> Task<Result<size_t>> {
      auto selected = co_await select(waits(), waits());
      co_return selected.index;
    });
    co_await sleep(2ms);
    task.cancel();
    co_return co_await task;
  });
  EXPECT_TRUE(outcome.has_value());
}

TEST_P(Select, RaceKeepsWhatALoserCameTo) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    auto raced = co_await race(after(1ms, 2), after(1h, 3), waits());
    auto& [won, lost, cut] = raced.outcomes;
    if (raced.winner != 0 || *won != 2) co_return fail(Errc::Internal, "winner");
    if (cut.error().code != Errc::Cancelled) co_return fail(Errc::Internal, "cut");
    co_return lost;  // the loser saw the cancel and made a value of it
  });
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_EQ(*outcome, -3);
}

TEST_P(Select, RaceOfManyHasOneWinner) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 50; ++i) tasks.push_back(after(i == 33 ? 1ms : 1h, i));
    auto raced = co_await race(std::move(tasks));
    for (size_t i = 0; i < 50; ++i)
      if (*raced.outcomes[i] != (i == 33 ? 33 : -static_cast<int>(i)))
        co_return fail(Errc::Internal, "loser");
    co_return static_cast<int>(raced.winner);
  });
  EXPECT_EQ(*outcome, 33);
}

// What two members consume at the same time is in the outcomes, whoever wins.
TEST_P(Select, NothingConsumedIsLostInARace) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    int received = 0;
    for (int round = 0; round < 500; ++round) {
      auto one = sync::oneshot<int>();
      auto two = sync::oneshot<int>();
      auto sender = spawn(
          [](sync::OneshotSender<int> a, sync::OneshotSender<int> b) -> Task<void> {
            a.send(1);
            b.send(1);
            co_return;
          },
          std::move(one.first), std::move(two.first));
      auto raced = co_await race(as_task(one.second), as_task(two.second));
      co_await sender;
      auto& [a, b] = raced.outcomes;
      // A loser that was cancelled left its message in the channel.
      received += a.has_value() ? *a : *co_await one.second;
      received += b.has_value() ? *b : *co_await two.second;
    }
    co_return received;
  });
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_EQ(*outcome, 1000);
}

TEST_P(Select, AnyAwaitableAsATask) {
  auto outcome = runtime_->block_on([]() -> Task<size_t> {
    auto selected =
        co_await select(as_task([] { return sleep(1h); }), as_task([] { return sleep(1ms); }),
                        as_task([] { return waits(); }));
    co_return selected.index;
  });
  EXPECT_EQ(*outcome, 1u);
}

TEST_P(Select, ManyRoundsOfReadyRacers) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    int sum = 0;
    for (int round = 0; round < 2000; ++round) {
      auto selected = co_await select(after(0ms, 1), after(0ms, 1), waits());
      sum += selected.index == 0 ? *std::get<0>(selected.outcome) : *std::get<1>(selected.outcome);
    }
    co_return sum;
  });
  EXPECT_EQ(*outcome, 2000);
}

ZOKIO_RUNTIME_MATRIX(Select);

}  // namespace
}  // namespace zokio
