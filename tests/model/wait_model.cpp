// SPDX-License-Identifier: Apache-2.0
//
// task::begin_wait, end_wait and a cancel: a wait that a cancel should end is ended, once, by the
// wake-up or by the cancel; the awaiter is not touched after end_wait(); and a shield keeps the
// cancels from outside away from what is waited for inside.

#include <gtest/gtest.h>

#include "model/explorer.h"
#include "model/workers.h"
#include "zokio/shield.h"
#include "zokio/task/wait.h"

namespace zokio {
namespace {

using model::Execution;
using model::explore;
using model::Workers;

// What is waited for: a word with the waiter, taken by who ends the wait.
struct Resource {
  Atomic<uintptr_t> word{0};
  static constexpr uintptr_t kReady = 1;

  void complete() {
    const uintptr_t waiter = word.exchange(kReady, std::memory_order_acq_rel);
    if (waiter != 0) task::wake(reinterpret_cast<task::Header*>(waiter));
  }
};

class ResourceWait : task::Wait {
 public:
  explicit ResourceWait(Resource& resource) noexcept : Wait(&kOps), resource_(resource) {}
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> h) noexcept {
    self_ = task::suspend_current(h);
    return task::begin_wait(self_, this, [this]() noexcept {
      uintptr_t none = 0;
      return resource_.word.compare_exchange_strong(none, reinterpret_cast<uintptr_t>(self_),
                                                    std::memory_order_acq_rel);
    });
  }
  // Whether it is ready; false: cancelled.
  bool await_resume() noexcept {
    task::end_wait(self_);
    return resource_.word.load(std::memory_order_acquire) == Resource::kReady;
  }

 private:
  static void interrupt(Wait* base) noexcept {
    auto* self = static_cast<ResourceWait*>(base);
    auto waiter = reinterpret_cast<uintptr_t>(self->self_);
    if (self->resource_.word.compare_exchange_strong(waiter, 0, std::memory_order_acq_rel))
      task::wake(self->self_);
  }
  static constexpr task::WaitOps kOps{&interrupt, "resource"};

  Resource& resource_;
  task::Header* self_ = nullptr;
};

enum Outcome : int { kNone, kReady, kCancelled };

Task<void> wait_once(Resource* resource, int* out) {
  const bool ready = co_await ResourceWait(*resource);
  *out = ready ? kReady : kCancelled;
}

Task<void> wait_twice(Resource* one, Resource* two, int* out) {
  bool ready = co_await ResourceWait(*one);
  out[0] = ready ? kReady : kCancelled;
  ready = co_await ResourceWait(*two);
  out[1] = ready ? kReady : kCancelled;
}

TEST(WaitModel, ACancelIsNeverMissed) {
  EXPECT_HOLDS(explore("wait: cancel", {}, [](Execution& run) {
    Workers workers;
    Resource resource;  // nobody completes it
    int out = kNone;
    auto task = workers.spawn(wait_once, &resource, &out);
    workers.start(run);
    run.thread("canceller", [&] { task.cancel(); });
    run.go();
    MODEL_CHECK(out == kCancelled, "the cancel ends the wait");
  }));
}

TEST(WaitModel, CompletedAndCancelled) {
  EXPECT_HOLDS(explore("wait: complete and cancel", {}, [](Execution& run) {
    Workers workers;
    Resource resource;
    int out = kNone;
    auto task = workers.spawn(wait_once, &resource, &out);
    workers.start(run);
    run.thread("completer", [&] { resource.complete(); });
    run.thread("canceller", [&] { task.cancel(); });
    run.go();
    MODEL_CHECK(out != kNone, "it ended");
  }));
}

TEST(WaitModel, TwoWorkers) {
  EXPECT_HOLDS(explore("wait: resumed elsewhere at once", {}, [](Execution& run) {
    Workers workers;
    Resource resource;
    int out = kNone;
    workers.spawn(wait_once, &resource, &out).detach();
    workers.start(run, 2);
    run.thread("completer", [&] { resource.complete(); });
    run.go();
    MODEL_CHECK(out == kReady, "nobody cancelled");
  }));
}

// A wait inside a scope, which is cancelled, and one behind it.
Task<void> in_a_scope(Resource* one, Resource* two, Resource* entered, task::CancelScope** scope,
                      int* out) {
  {
    task::CancelScope inner;
    *scope = &inner;
    entered->complete();
    const bool ready = co_await ResourceWait(*one);
    out[0] = ready ? kReady : kCancelled;
  }
  const bool ready = co_await ResourceWait(*two);
  out[1] = ready ? kReady : kCancelled;
}

TEST(WaitModel, AScopeIsCancelledOnlyInside) {
  EXPECT_HOLDS(explore("wait: cancel of a scope", {}, [](Execution& run) {
    Workers workers;
    Resource first, second, entered;
    task::CancelScope* scope = nullptr;
    int out[2] = {};
    workers.spawn(in_a_scope, &first, &second, &entered, &scope, &out[0]).detach();
    workers.start(run);
    run.thread("canceller", [&] {
      // The scope is in force while `first` is waited for, and that ends by the cancel only.
      while (entered.word.load(std::memory_order_acquire) == 0) model::spin_pause();
      scope->cancel();
      second.complete();
    });
    run.go();
    MODEL_CHECK(out[0] == kCancelled, "inside the scope");
    MODEL_CHECK(out[1] == kReady, "outside of it nothing was cancelled");
  }));
}

Task<void> wait_in_shield(Resource* resource, int* out) {
  {
    Shield shield;
    const bool ready = co_await ResourceWait(*resource);
    out[0] = ready ? kReady : kCancelled;
  }
  Resource never;
  const bool ready = co_await ResourceWait(never);
  out[1] = ready ? kReady : kCancelled;
}

TEST(WaitModel, AShieldHolds) {
  EXPECT_HOLDS(explore("wait: shield and cancel", {}, [](Execution& run) {
    Workers workers;
    Resource resource;
    int out[2] = {};
    auto task = workers.spawn(wait_in_shield, &resource, &out[0]);
    workers.start(run);
    run.thread("canceller", [&] {
      task.cancel();
      resource.complete();
    });
    run.go();
    MODEL_CHECK(out[0] == kReady, "nothing from outside reaches into a shield");
    MODEL_CHECK(out[1] == kCancelled, "the cancel waits behind it");
  }));
}

TEST(WaitModel, TwoCancels) {
  EXPECT_HOLDS(explore("wait: two cancels, two waits", {}, [](Execution& run) {
    Workers workers;
    Resource one, two;
    int out[2] = {};
    auto task = workers.spawn(wait_twice, &one, &two, &out[0]);
    workers.start(run);
    run.thread("canceller 1", [&] { task.cancel(); });
    run.thread("canceller 2", [&] { task.cancel(); });
    run.thread("completer", [&] { one.complete(); });
    run.go();
    MODEL_CHECK(out[1] == kCancelled, "a cancel stays");
  }));
}

}  // namespace
}  // namespace zokio
