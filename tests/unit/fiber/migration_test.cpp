// SPDX-License-Identifier: Apache-2.0
// A fiber that goes on on another worker. The move is forced: of two partner tasks, each holding a
// worker, the one that shares the fiber's worker keeps it busy until the other has woken the fiber.
#include <sched.h>

#include <atomic>

#include "fiber_fixture.h"
#include "zokio/sync/oneshot.h"

namespace zokio {
namespace {

struct Round {
  std::atomic<uint32_t> home{task::kNoWorker};  // where the fiber waits
  std::atomic<int> partners{0};
  std::atomic<bool> moved{false};
  sync::OneshotSender<int> wake;
};

Task<void> partner(std::shared_ptr<Round> round) {
  // Both run at the same time, so each has a worker for itself.
  round->partners.fetch_add(1);
  while (round->partners.load() < 2) sched_yield();
  if (task::context().worker == round->home.load()) {
    while (!round->moved.load()) sched_yield();
  } else {
    round->wake.send(1);
  }
  co_return;
}

// Waits on the fiber until another worker has taken it over. Its worker before and after.
[[gnu::noinline]] std::pair<uint32_t, uint32_t> migrate() {
  auto round = std::make_shared<Round>();
  auto [sender, receiver] = sync::oneshot<int>();
  round->wake = std::move(sender);
  const uint32_t before = task::context().worker;
  round->home.store(before);
  auto first = spawn(partner, round);
  auto second = spawn(partner, round);
  EXPECT_EQ(*fiber_await(receiver.recv()), 1);
  const uint32_t after = task::context().worker;
  round->moved.store(true);
  EXPECT_TRUE(fiber_await(first).has_value());
  EXPECT_TRUE(fiber_await(second).has_value());
  return {before, after};
}

class Migration : public test::FiberTest {};

TEST_P(Migration, GoesOnOnAnotherWorker) {
  auto moves = runtime_->block_on([]() -> Task<Result<int>> {
    co_return co_await fiber([] {
      int moved = 0;
      const fibers::Fiber* self = fibers::Fiber::current();
      task::Header* task = task::current_task();
      for (int i = 0; i < 100; ++i) {
        const auto [before, after] = migrate();
        moved += before != after ? 1 : 0;
        // What belongs to the thread is asked anew, and the thread knows what it runs.
        EXPECT_EQ(fibers::Fiber::current(), self);
        EXPECT_EQ(task::current_task(), task);
        EXPECT_TRUE(in_fiber());
      }
      return moved;
    });
  });
  EXPECT_EQ(*moves, 100);
}

TEST_P(Migration, CaughtExceptionGoesAlong) {
  auto right = runtime_->block_on([]() -> Task<Result<int>> {
    co_return co_await fiber([] {
      int caught = 0;
      for (int i = 0; i < 30; ++i) {
        try {
          try {
            throw i;
          } catch (int) {
            const auto [before, after] = migrate();
            EXPECT_NE(before, after);
            throw;
          }
        } catch (int n) {
          caught += n == i ? 1 : 0;
        }
      }
      return caught;
    });
  });
  EXPECT_EQ(*right, 30);
}

TEST_P(Migration, WorkersAreLeftClean) {
  auto clean = runtime_->block_on([]() -> Task<int> {
    std::vector<JoinHandle<Result<int>>> all;
    for (int i = 0; i < 4; ++i)
      all.push_back(spawn([]() -> Task<Result<int>> {
        auto value = co_await fiber([] {
          for (int n = 0; n < 500; ++n) fiber_await(yield_now());
          return 1;
        });
        EXPECT_FALSE(in_fiber());
        co_return value;
      }));
    int sum = 0;
    for (auto& handle : all) {
      auto one = co_await handle;
      EXPECT_FALSE(in_fiber());
      sum += *one;
    }
    co_return sum;
  });
  EXPECT_EQ(*clean, 4);
}

TEST_P(Migration, OutlivesWorkersThatRetire) {
  std::vector<JoinHandle<Result<int>>> all;
  std::atomic<bool> stop{false};
  std::atomic<int> turns{0};
  for (int i = 0; i < 20; ++i)
    all.push_back(runtime_->spawn(
        [](std::atomic<bool>* enough, std::atomic<int>* count) -> Task<Result<int>> {
          co_return co_await fiber([=] {
            int done = 0;
            for (; !enough->load(); ++done) {
              count->fetch_add(1);
              fiber_await(yield_now());
              EXPECT_TRUE(fiber_await(sleep(std::chrono::microseconds(50))).has_value());
              EXPECT_TRUE(in_fiber());
            }
            return done;
          });
        },
        &stop, &turns));
  for (int round = 0; round < 12; ++round) {
    const int before = turns.load();
    EXPECT_TRUE(runtime_->resize_workers_blocking(round % 2 == 0 ? 4 : 1).has_value());
    EXPECT_TRUE(test::eventually([&] { return turns.load() >= before + 100; }));
  }
  stop.store(true);
  auto sum = runtime_->block_on(
      [](std::vector<JoinHandle<Result<int>>>* handles) -> Task<int> {
        int total = 0;
        for (auto& handle : *handles) {
          auto one = co_await handle;
          total += *one;
        }
        co_return total;
      },
      &all);
  EXPECT_EQ(*sum, turns.load());
}

// Two partners and the fiber need exactly two workers.
INSTANTIATE_TEST_SUITE_P(TwoWorkers, Migration,
                         testing::Values(test::RuntimeParam{2, Backend::Epoll},
                                         test::RuntimeParam{2, Backend::Uring}),
                         test::param_name);

}  // namespace
}  // namespace zokio
