// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the primitives of this module share: the waiting task, a FIFO of them, and the word that
// holds a primitive's state while nobody waits and the FIFO when somebody does.
//
// The nodes live in the awaiters, so waiting allocates nothing. Whoever takes a node out of its
// FIFO, be it a wake-up or a cancel, ends the suspension. A primitive outlives the waits on it: it
// may be destroyed by a task whose wait has returned, not by one that has only set or released.
//
// Source: the word that is a counter or a list of awaiters is that of cppcoro::async_mutex (Lewis
// Baker), with a lock bit, so that a cancel can take a node out of the middle.

#include <coroutine>
#include <cstdint>

#include "zokio/base/result.h"
#include "zokio/base/spin_lock.h"
#include "zokio/task/switch.h"
#include "zokio/task/task.h"
#include "zokio/task/wait.h"

namespace zokio::sync::internal {

// One task that waits. Base of the awaiters. Most of them never wait, so nothing but the word that
// says how it went is written before they do.
struct Waiter : task::Wait {
  Waiter() noexcept {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // Suspends the current task. `publish` (bool() noexcept) links this node, or says false when
  // there is no need to wait.
  template <class Publish>
  bool wait(const task::WaitOps* with, std::coroutine_handle<> h, Publish publish) noexcept {
    ops = with;
    self = task::suspend_current(h);
    return task::begin_wait(self, this, publish);
  }
  // The same; what to resume.
  template <class Publish>
  std::coroutine_handle<> suspend(const task::WaitOps* with, std::coroutine_handle<> h,
                                  Publish publish) noexcept {
    return task::after_suspend(wait(with, h, publish), h);
  }
  // Before the end: false when a cancel ended the wait. Idempotent.
  bool woken() noexcept {
    if (ready()) return true;
    task::end_wait(task::current_task());
    return taken();
  }

  // There was no need to wait: it has what it came for.
  bool ready() const noexcept { return next == mark(kReady); }
  void set_ready() noexcept { next = mark(kReady); }
  // What was waited for has taken it.
  bool taken() const noexcept { return next == mark(kTaken); }
  void set_taken() noexcept { next = mark(kTaken); }
  // The poll's budget was used up.
  bool late() const noexcept { return next == mark(kLate); }
  void set_late() noexcept { next = mark(kLate); }
  bool linked() const noexcept { return reinterpret_cast<uintptr_t>(next) > kMarks; }

  // Guarded by the lock of what is waited for. next: null, not in a FIFO; a mark; else the next in
  // the circle.
  Waiter* next = nullptr;
  Waiter* prev;
  task::Header* self;  // once it waits

 private:
  enum : uintptr_t { kTaken = 1, kReady = 2, kLate = 3, kMarks = 3 };
  static Waiter* mark(uintptr_t how) noexcept { return reinterpret_cast<Waiter*>(how); }
};

// A FIFO is its first node; the nodes form a circle. Null: empty. The caller holds its lock.
inline void push_back(Waiter*& first, Waiter* waiter) noexcept {
  if (first == nullptr) {
    waiter->next = waiter;
    waiter->prev = waiter;
    first = waiter;
    return;
  }
  Waiter* last = first->prev;
  waiter->prev = last;
  waiter->next = first;
  last->next = waiter;
  first->prev = waiter;
}

// Requires: linked. Does not mark it as taken.
inline void remove(Waiter*& first, Waiter* waiter) noexcept {
  if (waiter->next == waiter) {
    first = nullptr;
  } else {
    if (first == waiter) first = waiter->next;
    waiter->prev->next = waiter->next;
    waiter->next->prev = waiter->prev;
  }
  waiter->next = nullptr;
}

// The oldest, marked as taken. Requires: not empty.
inline Waiter* take_first(Waiter*& first) noexcept {
  Waiter* oldest = first;
  remove(first, oldest);
  oldest->set_taken();
  return oldest;
}

// All, marked as taken: their tasks, oldest first, as a list through Header::next for wake_all().
task::Header* take_all(Waiter*& first) noexcept;

// Tasks to wake once the lock is released, in order; linked through Header::next, which is free
// while a task is suspended.
class WakeList : Pinned {
 public:
  void add(task::Header* task) noexcept {
    *link_ = task;
    link_ = &task->next;
  }
  // The list, for wake_all().
  task::Header* finish() noexcept {
    *link_ = nullptr;
    return first_;
  }

 private:
  task::Header* first_ = nullptr;
  task::Header** link_ = &first_;
};

// Wakes a list; they run in its order. Requires: no lock held. None of the tasks, nor what they
// own, is touched after.
void wake_all(task::Header* first) noexcept;

// An operation that was ready has used up the poll's budget: the task goes behind the others and
// continues with its result. Returned from await_suspend.
inline std::coroutine_handle<> give_turn(std::coroutine_handle<> h) noexcept {
  task::Header* self = task::suspend_current(h);
  task::executor_of(self)->schedule_last(self);
  return std::noop_coroutine();
}

struct Turn {
  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) const noexcept {
    return give_turn(h);
  }
  void await_resume() const noexcept {}
};

// For what is held until the task gives it back: a task whose budget is used up gives a turn before
// it takes it, not with it, or everybody would queue up behind it. `attempt`, which begins with a
// Turn, runs in the place of `waiter`, which is late() and holds it; what to resume.
template <class R>
std::coroutine_handle<> start_later(Waiter& waiter, Task<R> attempt,
                                    std::coroutine_handle<> awaiting) noexcept {
  auto* const promise = attempt.release();
  waiter.self = promise;
  promise->link.store(reinterpret_cast<uintptr_t>(awaiting.address()), std::memory_order_relaxed);
  return promise->handle();
}
template <class R>
R finish_later(Waiter& waiter) {
  auto* const promise = static_cast<typename Task<R>::promise_type*>(waiter.self);
  R result = promise->take();
  promise->drop_outcome();
  promise->handle().destroy();
  return result;
}

// The word of a primitive, a closed list:
//   value << 2              nobody waits; what the value means is the primitive's
//   Waiter* | kHasWaiters   the FIFO
//   either | kBusy          a thread holds the lock and will store the next word
// Any thread; changed by compare-and-swap while it is not busy, and by the holder's unlock().
class WaitWord {
 public:
  static constexpr uintptr_t kHasWaiters = 1;
  static constexpr uintptr_t kBusy = 2;
  static constexpr unsigned kShift = 2;

  explicit WaitWord(uintptr_t word = 0) noexcept : word_(word) {}

  static constexpr uintptr_t of(int64_t value) noexcept {
    return static_cast<uintptr_t>(value) << kShift;
  }
  static constexpr int64_t value(uintptr_t word) noexcept {
    return static_cast<int64_t>(word) >> kShift;
  }
  static Waiter* waiters(uintptr_t word) noexcept {
    return (word & kHasWaiters) != 0 ? reinterpret_cast<Waiter*>(word & ~kHasWaiters) : nullptr;
  }
  // The word for a FIFO, and for `empty` when there is none left.
  static uintptr_t of(Waiter* first, uintptr_t empty) noexcept {
    return first != nullptr ? reinterpret_cast<uintptr_t>(first) | kHasWaiters : empty;
  }

  uintptr_t load(std::memory_order order) const noexcept { return word_.load(order); }
  bool change(uintptr_t& from, uintptr_t to, std::memory_order order) noexcept {
    return word_.compare_exchange_strong(from, to, order, std::memory_order_relaxed);
  }

  // Publishes `waiter` as the only one, if the word is `empty` and nobody holds it.
  bool start_fifo(Waiter* waiter, uintptr_t empty) noexcept {
    waiter->next = waiter;
    waiter->prev = waiter;
    // Ordering: release publishes the node, acquire pairs with unlock().
    return change(empty, of(waiter, empty), std::memory_order_acq_rel);
  }

  // Waits until the word is not busy and makes it so. Returns it, without kBusy.
  uintptr_t lock() noexcept {
    uintptr_t word = word_.load(std::memory_order_relaxed);
    for (int spins = 0;; ++spins) {
      // Ordering: acquire pairs with the release of unlock() and of change().
      if ((word & kBusy) == 0 &&
          word_.compare_exchange_weak(word, word | kBusy, std::memory_order_acquire,
                                      std::memory_order_relaxed))
        return word;
      if ((word & kBusy) != 0) {
        spin_pause(spins);
        word = word_.load(std::memory_order_relaxed);
      }
    }
  }
  // The primitive may be gone when this returns, if the word lets anybody free it.
  void unlock(uintptr_t word) noexcept { word_.store(word, std::memory_order_release); }

  // For interrupt(): takes `waiter` back and wakes it, unless it was taken. `empty`: the word when
  // it was the last one.
  void cancel(Waiter* waiter, uintptr_t empty) noexcept;

 private:
  Atomic<uintptr_t> word_;
};

// A FIFO under a lock of its own, for primitives whose state does not fit in a word.
class WaitList : Pinned {
 public:
  void lock() noexcept { lock_.lock(); }
  void unlock() noexcept { lock_.unlock(); }

  bool empty() const noexcept { return first == nullptr; }
  // For interrupt(): takes `waiter` back and wakes it, unless it was taken.
  void cancel(Waiter* waiter) noexcept;

  Waiter* first = nullptr;  // guarded by the lock

 private:
  SpinLock lock_;
};

}  // namespace zokio::sync::internal
