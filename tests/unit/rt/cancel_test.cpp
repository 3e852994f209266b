// SPDX-License-Identifier: Apache-2.0
#include "zokio/task/cancel.h"

#include <atomic>
#include <memory>
#include <thread>

#include "runtime_fixture.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;
using task::CancelCallback;
using task::CancelScope;

struct Count : CancelCallback {
  Count()
      : CancelCallback(
            [](CancelCallback* base) noexcept { static_cast<Count*>(base)->calls.fetch_add(1); }) {}
  std::atomic<int> calls{0};
};

TEST(CancelScope, CallsEachCallbackOnce) {
  CancelScope scope;
  Count before, dropped, after;
  before.link(&scope);
  dropped.link(&scope);
  dropped.unlink();
  scope.cancel();
  scope.cancel();
  after.link(&scope);
  EXPECT_TRUE(scope.cancelled());
  EXPECT_EQ(before.calls, 1);
  EXPECT_EQ(dropped.calls, 0);
  EXPECT_EQ(after.calls, 1);
}

TEST(CancelScope, TravelsDownNotUp) {
  CancelScope root;
  CancelScope child(&root), sibling(&root);
  CancelScope grandchild(&child);
  child.cancel();
  EXPECT_TRUE(grandchild.cancelled());
  EXPECT_FALSE(root.cancelled());
  EXPECT_FALSE(sibling.cancelled());
  root.cancel();
  EXPECT_TRUE(sibling.cancelled());
  CancelScope late(&root);
  EXPECT_TRUE(late.cancelled());
}

TEST(CancelScope, UnlinkWaitsForACallbackThatRuns) {
  struct Slow : CancelCallback {
    Slow()
        : CancelCallback([](CancelCallback* base) noexcept {
            auto* self = static_cast<Slow*>(base);
            self->entered = true;
            std::this_thread::sleep_for(20ms);
            self->left = true;
          }) {}
    std::atomic<bool> entered{false}, left{false};
  };
  CancelScope scope;
  auto slow = std::make_unique<Slow>();
  slow->link(&scope);
  std::thread canceller([&] { scope.cancel(); });
  ASSERT_TRUE(test::eventually([&] { return slow->entered.load(); }));
  slow->unlink();
  EXPECT_TRUE(slow->left.load());
  slow.reset();
  canceller.join();
}

TEST(CancelScope, LinkAndPublishesOnlyWhenNotCancelled) {
  CancelScope scope;
  Count one, two;
  EXPECT_TRUE(one.link_and(&scope, [] { return true; }));
  scope.cancel();
  bool published = false;
  EXPECT_FALSE(two.link_and(&scope, [&] { return published = true; }));
  EXPECT_FALSE(published);
  EXPECT_EQ(two.calls, 0);
}

// Link, cancel and unlink from two threads: no callback after unlink, none twice.
TEST(CancelScope, LinkRacesCancel) {
  for (int i = 0; i < 3000; ++i) {
    auto scope = std::make_unique<CancelScope>();
    std::atomic<bool> go{false};
    std::thread canceller([&] {
      while (!go.load()) {
      }
      scope->cancel();
    });
    {
      Count count;
      go = true;
      count.link(scope.get());
      count.unlink();
      EXPECT_LE(count.calls.load(), 1);
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

ZOKIO_RUNTIME_MATRIX(Cancel);

}  // namespace
}  // namespace zokio
