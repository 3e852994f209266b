// SPDX-License-Identifier: Apache-2.0
#pragma once

// Structured concurrency: children that end before the block that started them.
//
//   Task<Result<void>> both(Scope& scope, File& a, File& b) {
//     auto x = scope.spawn(checksum, std::ref(a));
//     auto y = scope.spawn(checksum, std::ref(b));
//     ...
//     co_return {};
//   }
//   auto done = co_await with_scope(both, std::ref(a), std::ref(b));
//
// The first child that fails cancels its siblings and the body; all are awaited; its error is the
// scope's. A child may borrow from the body's caller, because it cannot outlive it.

#include <atomic>
#include <functional>
#include <optional>

#include "zokio/spawn.h"
#include "zokio/task/local.h"

namespace zokio {

namespace internal {

// Counts children and lets one task wait for the last. Lives in the frame of the waiting task.
class ChildGroup : Pinned {
 public:
  ChildGroup() = default;
  ~ChildGroup() {
    ZOKIO_CHECK((state_.load(std::memory_order_acquire) & ~kWaiting) == 0,
                "children outlive their scope: await it before it goes");
  }

  void add() noexcept { state_.fetch_add(kOne, std::memory_order_relaxed); }

  // The last touch of the group by a child.
  void done() noexcept {
    // Ordering: acq_rel; the waiter sees everything the children wrote.
    const uint64_t before = state_.fetch_sub(kOne, std::memory_order_acq_rel);
    // The last child of a waiting group: only this thread will wake the waiter, so the group lives
    // until then. Without the waiting bit the group may be gone already.
    if (before == (kOne | kWaiting)) task::wake(waiter_);
  }

  // Remembers the first failure and cancels the siblings.
  void failed(Error error) noexcept {
    bool expected = false;
    if (has_error_.compare_exchange_strong(expected, true, std::memory_order_acq_rel))
      error_ = error;
    scope.cancel();
  }
  // Requires: all children are done.
  bool has_error() const noexcept { return has_error_.load(std::memory_order_acquire); }
  Error error() const noexcept { return error_; }

  // Waits for all children. Not cancellable: cancel the scope to make them end.
  auto join() noexcept { return JoinAll{this}; }

  // Task-locals that the children inherit: what is bound outside the scope.
  task::SharedLocals locals;
  // In force from the construction of the group to its end: everything is inside it.
  task::CancelScope scope;

 private:
  static constexpr uint64_t kWaiting = 1;
  static constexpr uint64_t kOne = 2;

  struct JoinAll {
    ChildGroup* group;
    bool await_ready() const noexcept { return group->state_.load(std::memory_order_acquire) == 0; }
    bool await_suspend(std::coroutine_handle<> h) const noexcept {
      ChildGroup* g = group;
      g->waiter_ = task::suspend_current(h);
      const uint64_t before = g->state_.fetch_or(kWaiting, std::memory_order_acq_rel);
      return before != 0;  // 0: the last child went between await_ready and here
    }
    void await_resume() const noexcept {
      const uint64_t state = group->state_.exchange(0, std::memory_order_relaxed);
      ZOKIO_CHECK((state & ~kWaiting) == 0, "woken before the last child ended");
    }
  };

  // Any thread, atomic.
  std::atomic<uint64_t> state_{0};  // children * kOne, + kWaiting
  std::atomic<bool> has_error_{false};
  // Written before kWaiting is set, read by who saw it.
  task::Header* waiter_ = nullptr;
  // Written once, by the child that set has_error_; read after all are done.
  Error error_;
};

}  // namespace internal

// Given to the body of with_scope. Thread: the body and the children it passes it to.
class Scope : Pinned {
 public:
  // Starts a child. Arguments may be references (std::ref) to what outlives the scope.
  // The handle gives the child's outcome; it may be dropped, the scope waits all the same.
  template <class F, class... A>
    requires internal::TaskCallable<F, A...>
  JoinHandle<internal::SpawnResult<F, A...>> spawn(F f, A... args);

  // Asks all children and the body's own waits to end.
  void cancel() noexcept { group_.scope.cancel(); }
  bool cancelled() const noexcept { return group_.scope.cancelled(); }

 private:
  template <class F, class... A>
    requires internal::TaskCallable<F, Scope&, A...>
  friend auto with_scope(F body, A... args)
      -> Task<Outcome<typename std::invoke_result_t<F&, Scope&, A...>::value_type>>;

  Scope() = default;

  internal::ChildGroup group_;
};

namespace internal {

// Ties a child to its group: cancelled with it, and counted until the end. The link goes first: the
// child's frame can outlive the group, when a handle still holds it.
class ChildGuard : Pinned {
 public:
  explicit ChildGuard(ChildGroup* group) noexcept
      : group_(group), link_(group->scope, task::current_task()), locals_(group->locals) {}
  ~ChildGuard() {
    locals_.detach();
    link_.detach();
    group_->done();
  }

 private:
  ChildGroup* group_;
  task::ChildLink link_;
  task::InheritedLocals locals_;
};

template <class R, class F, class... A>
Task<R> run_child(ChildGroup* group, F f, A... args) {
  ChildGuard guard(group);
  try {
    if constexpr (std::is_void_v<R>) {
      co_await std::invoke(f, std::move(args)...);
      co_return;
    } else {
      R result = co_await std::invoke(f, std::move(args)...);
      if constexpr (is_result_v<R>) {
        if (!result.has_value()) group->failed(result.error());
      }
      co_return result;
    }
  } catch (...) {
    group->failed(Error(Errc::Internal, "child", Detail::Panicked));
    throw;
  }
}

// Starts a child of `group`: counted, and cancelled with it.
template <class F, class... A>
auto spawn_child(ChildGroup& group, F f, A... args) {
  using R = SpawnResult<F, A...>;
  task::Header* self = task::current_task();
  group.add();
  return spawn_on(*task::executor_of(self), "", &run_child<R, F, A...>, &group, std::move(f),
                  std::move(args)...);
}

}  // namespace internal

template <class F, class... A>
  requires internal::TaskCallable<F, A...>
JoinHandle<internal::SpawnResult<F, A...>> Scope::spawn(F f, A... args) {
  return internal::spawn_child(group_, std::move(f), std::move(args)...);
}

// Runs `body(scope, args...)` and then waits for every child it started. Yields the body's outcome,
// or the first child's error. Cancel: passes on to body and children, and waits for them.
template <class F, class... A>
  requires internal::TaskCallable<F, Scope&, A...>
auto with_scope(F body, A... args)
    -> Task<Outcome<typename std::invoke_result_t<F&, Scope&, A...>::value_type>> {
  using T = typename std::invoke_result_t<F&, Scope&, A...>::value_type;
  Scope scope;
  std::optional<Outcome<T>> outcome;
  std::exception_ptr exception;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::invoke(body, scope, std::move(args)...);
      outcome.emplace();
    } else {
      outcome.emplace(co_await std::invoke(body, scope, std::move(args)...));
    }
  } catch (...) {
    exception = std::current_exception();
  }
  // A failed body takes its children with it.
  if (exception || !outcome->has_value()) scope.cancel();
  co_await scope.group_.join();
  if (exception) std::rethrow_exception(exception);
  if (scope.group_.has_error()) co_return std::unexpected(scope.group_.error());
  co_return *std::move(outcome);
}

}  // namespace zokio
