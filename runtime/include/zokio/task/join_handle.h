// SPDX-License-Identifier: Apache-2.0
#pragma once

// A spawned task from the outside: wait for its outcome, ask it to stop, or let it go.
//
// The frame of a spawned coroutine holds the task header, the callable with its arguments, and
// later the outcome; it lives until the task ended and the handle is gone.

#include <concepts>
#include <exception>
#include <optional>
#include <utility>

#include "zokio/base/result.h"
#include "zokio/task/header.h"
#include "zokio/task/task.h"

namespace zokio {

template <class T>
class JoinHandle;

namespace task::internal {

template <class R>
Ending ending_of(const Outcome<R>& outcome) noexcept {
  if (outcome.has_value()) return Ending::Ok;
  return outcome.error().code == Errc::Cancelled ? Ending::Cancelled : Ending::Failed;
}

// Marks `task` finished, wakes who waits for it, and drops the running reference.
// The frame may be gone afterwards.
void finish(Header* task, Ending ending) noexcept;

// The promise of a spawned coroutine. R is what its Task returns.
template <class R>
struct SpawnPromise : PooledFrame, Header {
  SpawnPromise() {
    destroy = [](Header* base) noexcept {
      auto* self = static_cast<SpawnPromise*>(base);
      std::coroutine_handle<SpawnPromise>::from_promise(*self).destroy();
    };
    resume_point = std::coroutine_handle<SpawnPromise>::from_promise(*this);
  }

  struct FinishAwaiter {
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<SpawnPromise> self) const noexcept {
      SpawnPromise& promise = self.promise();
      finish(&promise, ending_of<R>(*promise.outcome));
    }
    void await_resume() const noexcept {}
  };

  SpawnPromise* get_return_object() noexcept { return this; }
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinishAwaiter final_suspend() const noexcept { return {}; }
  // The fence: no exception crosses it. Its text goes to the hook of docs/task_state.md.
  void unhandled_exception() noexcept {
    outcome.emplace(std::unexpect, Error(Errc::Internal, "task", Detail::Panicked));
    exception = std::current_exception();
  }
  void return_value(Outcome<R> value) { outcome.emplace(std::move(value)); }

  std::optional<Outcome<R>> outcome;
  std::exception_ptr exception;
};

}  // namespace task::internal

// Dropping a handle lets the task run on; the runtime owns every task until it ended.
// Thread: one owner; cancel(), finished() and id() from any thread while the handle lives.
template <class T>
class [[nodiscard("keep the handle to join the task, or call detach()")]] JoinHandle {
 public:
  JoinHandle() = default;
  // Takes over one reference.
  explicit JoinHandle(task::internal::SpawnPromise<T>* task) noexcept : task_(task) {}
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
  uint64_t id() const noexcept { return task_->id; }
  bool finished() const noexcept {
    return task_->joiner.load(std::memory_order_acquire) == task::kFinished;
  }

  // Asks the task to end: what it waits for ends with Errc::Cancelled.
  void cancel() noexcept { task_->cancel.cancel(); }

  // Lets the task go; it runs on under the runtime.
  void detach() noexcept {
    if (task_ != nullptr) std::exchange(task_, nullptr)->release();
  }

  // Waits for the end and yields the outcome (once): the task's own value or error, or
  // Internal/Panicked when an exception left it. One waiter at a time.
  // Cancel: the wait ends with Cancelled, the task runs on, and the handle can be awaited again.
  auto operator co_await() & noexcept { return Awaiter(task_, current_scope()); }
  auto operator co_await() && noexcept { return Awaiter(task_, current_scope()); }

  // The same wait, not cancellable: for a task that is known to be ending.
  auto ended() noexcept { return Awaiter(task_, nullptr); }

  // The exception behind Internal/Panicked, after the join; null otherwise.
  std::exception_ptr exception() const noexcept { return task_->exception; }

 private:
  static task::CancelScope* current_scope() noexcept {
    return task::current_task() != nullptr ? task::current_task()->scope : nullptr;
  }

  class Awaiter : task::CancelCallback {
   public:
    Awaiter(task::internal::SpawnPromise<T>* child, task::CancelScope* scope) noexcept
        : CancelCallback(&on_cancel), child_(child), scope_(scope) {}

    bool await_ready() const noexcept {
      return child_->joiner.load(std::memory_order_acquire) == task::kFinished;
    }
    bool await_suspend(std::coroutine_handle<> h) noexcept {
      self_ = task::suspend_current(h);
      return link_and(scope_, [this]() noexcept {
        void* none = nullptr;
        // Ordering: release publishes resume_point to the thread that finishes the child; the
        // acquire on failure makes its outcome visible here.
        const bool waiting = child_->joiner.compare_exchange_strong(
            none, self_, std::memory_order_release, std::memory_order_acquire);
        ZOKIO_CHECK(waiting || none == task::kFinished, "a task has one waiter at a time");
        return waiting;
      });
    }
    Outcome<T> await_resume() {
      unlink();
      if (child_->joiner.load(std::memory_order_acquire) != task::kFinished)
        return fail(Errc::Cancelled, "join");
      ZOKIO_CHECK(child_->outcome.has_value(), "a task is joined once");
      Outcome<T> outcome = std::move(*child_->outcome);
      child_->outcome.reset();
      return outcome;
    }

   private:
    static void on_cancel(CancelCallback* base) noexcept {
      auto* self = static_cast<Awaiter*>(base);
      void* waiting = self->self_;
      // Whoever removes the waiter wakes it: this, or the end of the child.
      if (self->child_->joiner.compare_exchange_strong(waiting, nullptr, std::memory_order_acq_rel))
        task::wake(self->self_);
    }

    task::internal::SpawnPromise<T>* child_;
    task::CancelScope* scope_;
    task::Header* self_ = nullptr;
  };

  task::internal::SpawnPromise<T>* task_ = nullptr;
};

}  // namespace zokio
