// SPDX-License-Identifier: Apache-2.0
#include "zokio/task/cancel.h"

#include <atomic>
#include <memory>
#include <thread>

#include "runtime_fixture.h"
#include "zokio/base/spin_lock.h"
#include "zokio/task/wait.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using task::CancelScope;
using task::ChildLink;
using task::Header;

// A task without a coroutine, current on this thread while it lives.
struct FakeTask : Header {
  FakeTask() {
    slot = 0;
    scope = nullptr;
    wait = 0;
    flags = 0;
    task::context().current = this;
  }
  ~FakeTask() { task::context().current = nullptr; }
};

// A wait that counts how often it is interrupted.
struct CountedWait : task::Wait {
  CountedWait() : Wait(&kOps) {}
  std::atomic<int> interrupts{0};
  static void interrupt(Wait* base) noexcept {
    static_cast<CountedWait*>(base)->interrupts.fetch_add(1);
  }
  static constexpr task::WaitOps kOps{&interrupt, "test"};
};

// One whose interruption takes a while.
struct SlowWait : task::Wait {
  SlowWait() : Wait(&kOps) {}
  std::atomic<bool> entered{false}, left{false};
  static void interrupt(Wait* base) noexcept {
    auto* self = static_cast<SlowWait*>(base);
    self->entered = true;
    std::this_thread::sleep_for(20ms);
    self->left = true;
  }
  static constexpr task::WaitOps kOps{&interrupt, "slow"};
};

bool begin(Header& task, CountedWait& wait) {
  return task::begin_wait(&task, &wait, []() noexcept { return true; });
}

TEST(CancelScope, InterruptsTheWaitInsideOnce) {
  FakeTask task;
  CountedWait wait;
  CancelScope scope;
  EXPECT_TRUE(begin(task, wait));
  scope.cancel();
  scope.cancel();
  EXPECT_EQ(wait.interrupts, 1);
  task::end_wait(&task);
  EXPECT_TRUE(task::cancelled(&task));
  // The next wait does not begin.
  EXPECT_FALSE(begin(task, wait));
  task::end_wait(&task);
  EXPECT_EQ(wait.interrupts, 1);
  scope.leave();
  EXPECT_FALSE(task::cancelled(&task));
  EXPECT_TRUE(begin(task, wait));
  task::end_wait(&task);
}

TEST(CancelScope, TravelsInwardsNotOutwards) {
  FakeTask task;
  CancelScope outer;
  {
    CancelScope inner;
    inner.cancel();
    EXPECT_TRUE(task::cancelled(&task));
  }
  EXPECT_FALSE(task::cancelled(&task));
  {
    CancelScope inner;
    CountedWait wait;
    EXPECT_TRUE(begin(task, wait));
    outer.cancel();
    EXPECT_EQ(wait.interrupts, 1);
    task::end_wait(&task);
    EXPECT_TRUE(task::cancelled(&task));
    EXPECT_FALSE(inner.cancelled());
  }
  outer.leave();
  EXPECT_FALSE(task::cancelled(&task));
  task::cancel(&task);
  EXPECT_TRUE(task::cancelled(&task));
}

TEST(CancelScope, AShieldHoldsBackUntilItEnds) {
  FakeTask task;
  CountedWait wait;
  CancelScope outer;
  {
    CancelScope shield(CancelScope::Kind::Shield);
    EXPECT_TRUE(begin(task, wait));
    outer.cancel();
    task::cancel(&task);
    EXPECT_EQ(wait.interrupts, 0);
    task::end_wait(&task);
    EXPECT_FALSE(task::cancelled(&task));
    // Its own cancel works.
    EXPECT_TRUE(begin(task, wait));
    shield.cancel();
    EXPECT_EQ(wait.interrupts, 1);
    task::end_wait(&task);
  }
  EXPECT_TRUE(task::cancelled(&task));
}

TEST(CancelScope, ReachesStructuredChildrenAndTheirChildren) {
  FakeTask child_task, grandchild_task, parent_task;
  CountedWait wait;
  EXPECT_TRUE(begin(grandchild_task, wait));
  CancelScope group;
  ChildLink child(group, &child_task);
  task::context().current = &child_task;
  {
    CancelScope inner;
    ChildLink grandchild(inner, &grandchild_task);
    group.cancel();
    EXPECT_TRUE(task::cancelled(&child_task));
    EXPECT_TRUE(task::cancelled(&grandchild_task));
    EXPECT_EQ(wait.interrupts, 1);
    grandchild.detach();
  }
  child.detach();
  task::context().current = &parent_task;
  // One that comes late is cancelled as it comes.
  FakeTask late_task;
  task::context().current = &parent_task;
  ChildLink late(group, &late_task);
  EXPECT_TRUE(task::cancelled(&late_task));
  late.detach();
  task::end_wait(&grandchild_task);
}

TEST(CancelScope, TheEndOfAWaitAwaitsTheInterrupt) {
  FakeTask task;
  auto slow = std::make_unique<SlowWait>();
  EXPECT_TRUE(task::begin_wait(&task, slow.get(), []() noexcept { return true; }));
  std::thread canceller([&] { task::cancel(&task); });
  ASSERT_TRUE(test::eventually([&] { return slow->entered.load(); }));
  task::end_wait(&task);
  EXPECT_TRUE(slow->left.load());
  slow.reset();
  canceller.join();
}

// Waits begin and end while another thread cancels: a wait that began is interrupted, or the
// canceller came before it; never after it ended, never twice.
TEST(CancelScope, WaitRacesCancel) {
  for (int i = 0; i < 1000; ++i) {
    FakeTask task;
    std::atomic<bool> go{false};
    std::thread canceller([&] {
      while (!go.load()) std::this_thread::yield();
      task::cancel(&task);
    });
    go = true;
    for (bool ended = false; !ended;) {
      auto wait = std::make_unique<CountedWait>();
      const bool began = begin(task, *wait);
      for (int spin = 0; spin < i % 50; ++spin) cpu_relax();
      task::end_wait(&task);
      EXPECT_LE(wait->interrupts.load(), began ? 1 : 0);
      ended = !began || wait->interrupts == 1;
      std::this_thread::yield();
    }
    canceller.join();
  }
}

using Cancel = test::RuntimeTest;

TEST_P(Cancel, ReachesEverySuspensionPoint) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    int cut = 0;
    for (int i = 0; i < 300; ++i) {
      auto task = spawn([]() -> Task<Result<void>> {
        while (true) {
          ZOKIO_CO_CHECKED(co_await sleep(200us));
          auto inner = spawn([]() -> Task<void> { co_await yield_now(); });
          ZOKIO_CO_CHECKED(co_await inner);
        }
      });
      for (int y = 0; y < i % 10; ++y) co_await yield_now();
      if (i % 4 == 0) co_await sleep(300us);
      task.cancel();
      auto ended = co_await task;
      if (ended.has_value() || ended.error().code != Errc::Cancelled)
        co_return fail(Errc::Internal, "not cut");
      ++cut;
    }
    co_return cut;
  });
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_EQ(*outcome, 300);
}

TEST_P(Cancel, ShutdownCancelsWhatIsLeft) {
  for (int i = 0; i < 50; ++i)
    runtime_->spawn([]() -> Task<Result<void>> { co_return co_await sleep(1h); }).detach();
  EXPECT_TRUE(runtime_->shutdown(30s));
  EXPECT_EQ(runtime_->stats().scheduler.tasks_finished_cancelled, 50u);
}

// A task that never awaits is in no list until it asks, and is found from then on.
TEST_P(Cancel, ShutdownReachesATaskThatOnlyLooks) {
  std::atomic<bool> runs{false};
  runtime_
      ->spawn(
          [](std::atomic<bool>* started) -> Task<void> {
            started->store(true);
            while (!cancelled()) cpu_relax();
            co_return;
          },
          &runs)
      .detach();
  EXPECT_TRUE(test::eventually([&] { return runs.load(); }));
  EXPECT_TRUE(runtime_->shutdown(30s));
}

ZOKIO_RUNTIME_MATRIX(Cancel);

}  // namespace
}  // namespace zokio
