// SPDX-License-Identifier: Apache-2.0
#pragma once

// A spawned task from the outside: wait for its outcome, ask it to stop, or let it go.
//
// The frame of a spawned coroutine holds the task header and later the outcome; its memory lives
// until the task ended and the handle is gone (promise.h).

#include <exception>
#include <utility>

#include "zokio/base/assert.h"
#include "zokio/base/result.h"
#include "zokio/task/cancel.h"
#include "zokio/task/switch.h"
#include "zokio/task/task.h"
#include "zokio/task/wait.h"

namespace zokio {

namespace task::internal {

// Waits for the end of a task. Requires: one waiter at a time.
class JoinWait : Wait {
 public:
  JoinWait(Promise* child, bool cancellable) noexcept
      : Wait(cancellable ? &kOps : &kEndedOps), child_(child), cancellable_(cancellable) {}

  bool await_ready() const noexcept {
    return child_->link.load(std::memory_order_acquire) == kFinished;
  }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
    self_ = suspend_current(h);
    // Where the frame may be gone after publishing, only these are used.
    Promise* const child = child_;
    Header* const self = self_;
    const bool ours = take_newest(child);
    bool waits;
    if (cancellable_) {
      waits = begin_wait(self, this, [this, ours]() noexcept { return publish(ours); });
    } else {
      show_wait(self, this);
      waits = publish(ours);
    }
    if (!waits) {
      if (ours) wake(child);
      return self->resume_point;
    }
    return ours ? switch_to(child) : std::noop_coroutine();
  }
  // Whether the child ended; otherwise a cancel ended the wait.
  bool await_resume() noexcept {
    if (self_ != nullptr) end_wait(self_);
    return child_->link.load(std::memory_order_acquire) == kFinished;
  }

 private:
  bool publish(bool ours) noexcept {
    const uintptr_t waiter = reinterpret_cast<uintptr_t>(self_) | kRoot;
    if (ours) {  // it does not run, so nobody else changes its link
      child_->link.store(waiter, std::memory_order_relaxed);
      return true;
    }
    uintptr_t none = kRoot;
    // Ordering: release publishes resume_point to the thread that finishes the child; the acquire
    // on failure makes its outcome visible here.
    const bool waiting = child_->link.compare_exchange_strong(
        none, waiter, std::memory_order_release, std::memory_order_acquire);
    ZOKIO_CHECK(waiting || none == kFinished, "a task has one waiter at a time");
    return waiting;
  }
  static void interrupt(Wait* base) noexcept {
    auto* self = static_cast<JoinWait*>(base);
    uintptr_t waiting = reinterpret_cast<uintptr_t>(self->self_) | kRoot;
    // Whoever removes the waiter wakes it: this, or the end of the child.
    if (self->child_->link.compare_exchange_strong(waiting, kRoot, std::memory_order_acq_rel))
      wake(self->self_);
  }
  static constexpr WaitOps kOps{&interrupt, "join"};
  static constexpr WaitOps kEndedOps{&ignore_interrupt, "join"};

  Promise* child_;
  Header* self_ = nullptr;
  bool cancellable_;
};

}  // namespace task::internal

// Dropping a handle lets the task run on; the runtime owns every task until it ended.
// Thread: one owner; cancel(), finished() and id() from any thread while the handle lives.
template <class T>
class [[nodiscard("keep the handle to join the task, or call detach()")]] JoinHandle {
 public:
  JoinHandle() = default;
  // Takes over the handle's part of the frame.
  explicit JoinHandle(task::ValuePromise<T>* task) noexcept : task_(task) {}
  JoinHandle(JoinHandle&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  JoinHandle& operator=(JoinHandle&& other) noexcept {
    if (this != &other) {
      detach();
      task_ = std::exchange(other.task_, nullptr);
    }
    return *this;
  }
  ~JoinHandle() { detach(); }

  explicit operator bool() const noexcept { return task_ != nullptr; }
  // As in dumps, stalls and traces; 0 for a task that has no name and has not awaited anything yet.
  // Requires: not finished.
  uint64_t id() const noexcept { return task::executor_of(task_)->id_of(task_); }
  bool finished() const noexcept {
    return task_->link.load(std::memory_order_acquire) == task::kFinished;
  }

  // Asks the task to end: what it waits for ends with Errc::Cancelled.
  void cancel() noexcept { task::cancel(task_); }

  // Lets the task go; it runs on under the runtime.
  void detach() noexcept {
    auto* task = std::exchange(task_, nullptr);
    if (task == nullptr) return;
    // Ordering: acquire pairs with the release of the end: whoever frees sees all writes.
    if (task->link.load(std::memory_order_acquire) == task::kFinished ||
        task->link.exchange(task::kDetached, std::memory_order_acq_rel) == task::kFinished)
      task->discard(task);
  }

  // Waits for the end and yields the outcome (once): the task's own value or error, or
  // Internal/Panicked when an exception left it. One waiter at a time.
  // Cancel: the wait ends with Cancelled, the task runs on, and the handle can be awaited again.
  auto operator co_await() & noexcept { return Awaiter(task_, true); }
  auto operator co_await() && noexcept { return Awaiter(task_, true); }

  // The same wait, not cancellable: for a task that is known to be ending.
  auto ended() noexcept { return Awaiter(task_, false); }

  // The same wait for a thread outside the runtime: blocks it.
  Outcome<T> wait() {
    ZOKIO_CHECK(task::context().worker == task::kNoWorker,
                "wait() would stop the worker that has to finish the task: co_await the handle");
    task::ThreadWaiter waiter;
    uintptr_t none = task::kRoot;
    const uintptr_t word = reinterpret_cast<uintptr_t>(&waiter) | task::kRoot | task::kThread;
    if (task_->link.compare_exchange_strong(none, word, std::memory_order_acq_rel,
                                            std::memory_order_acquire))
      waiter.wait();
    return task_->outcome();
  }

  // The exception behind Internal/Panicked, after the join; null otherwise.
  std::exception_ptr exception() const noexcept {
    return (task_->status & task::Header::kException) != 0 ? *task_->exception() : nullptr;
  }

 private:
  class Awaiter : public task::internal::JoinWait {
   public:
    Awaiter(task::ValuePromise<T>* child, bool cancellable) noexcept
        : JoinWait(child, cancellable), task_(child) {}
    Outcome<T> await_resume() {
      if (!JoinWait::await_resume()) return fail(Errc::Cancelled, "join");
      return task_->outcome();
    }

   private:
    task::ValuePromise<T>* task_;
  };

  task::ValuePromise<T>* task_ = nullptr;
};

}  // namespace zokio
