// SPDX-License-Identifier: Apache-2.0
#pragma once

// Cancellation: a request that is delivered to whoever waits, and then awaited.
//
// A CancelScope is one place that can be cancelled; scopes form a tree (a task, its timeouts, its
// structured children), and a request travels down. Cancelling never destroys anything: the wait
// that is in progress ends with Errc::Cancelled and the code decides what to do.
//
// Two ways to register an awaiter, both before it can be woken:
//   link()      then publish; the callback may run at once, inside link(), and so before the
//               awaiter is published: the awaiter must remember that.
//   link_and()  publishes under the scope's lock, so the callback always finds a published awaiter.
//               The last touch of this thread is the release of that lock, and the awaiter's
//               unlink() takes it, so the frame outlives the call.
//
// Source: the protocol is that of std::stop_callback, with an intrusive list and no heap state.

#include <atomic>
#include <cstdint>

#include "zokio/base/pinned.h"

namespace zokio::task {

class CancelScope;

// One registration. Lives in an awaiter or on a stack.
class CancelCallback : Pinned {
 public:
  // Runs on the cancelling thread. Short: takes one lock, schedules; never resumes anything inline.
  using Fn = void (*)(CancelCallback*) noexcept;

  explicit CancelCallback(Fn fn) noexcept : fn_(fn) {}
  CancelCallback(CancelScope* scope, Fn fn) noexcept : fn_(fn) { link(scope); }
  ~CancelCallback() { unlink(); }

  // Registers with `scope` (null: never cancelled); calls fn in here if it is cancelled already.
  // Requires: not linked.
  void link(CancelScope* scope) noexcept;

  // Registers, and calls `publish` (bool()) before any cancel can reach the callback.
  // False without calling it when the scope is cancelled already; otherwise what publish returned.
  template <class Publish>
  bool link_and(CancelScope* scope, Publish publish) noexcept;

  // After this the callback is not running and will not run: waits for one that runs on another
  // thread. Idempotent. From inside the callback itself it returns at once.
  void unlink() noexcept;

 private:
  friend class CancelScope;
  void insert() noexcept;

  // Constant after construction.
  Fn fn_;
  // Guarded by the scope's lock.
  CancelScope* scope_ = nullptr;
  CancelCallback* next_ = nullptr;
  CancelCallback* prev_ = nullptr;
  bool linked_ = false;
};

class CancelScope : Pinned {
 public:
  CancelScope() = default;
  // A child: cancelled when `parent` is (null: a root). `parent` outlives it.
  explicit CancelScope(CancelScope* parent) noexcept { attach(parent); }
  ~CancelScope() { uplink_.unlink(); }

  // Makes this a child of `parent` after construction. Call at most once.
  void attach(CancelScope* parent) noexcept { uplink_.link(parent); }
  // Leaves the parent, which may go afterwards. Waits for a request that is on its way down.
  void detach() noexcept { uplink_.unlink(); }

  // True once cancel() was called. Thread: any.
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_acquire); }

  // Requests cancellation and runs the callbacks on this thread. Idempotent. Thread: any that can
  // be sure the scope lives until the call returns.
  void cancel() noexcept;

 private:
  friend class CancelCallback;

  // The registration with the parent.
  struct Uplink : CancelCallback {
    explicit Uplink(CancelScope* s) noexcept : CancelCallback(&cancel_child), self(s) {}
    static void cancel_child(CancelCallback* base) noexcept {
      static_cast<Uplink*>(base)->self->cancel();
    }
    CancelScope* self;
  };

  void lock() noexcept;
  void unlock() noexcept { lock_.store(false, std::memory_order_release); }

  // Any thread, atomic.
  // Ordering: release in cancel(); pairs with the acquire in cancelled().
  std::atomic<bool> cancelled_{false};
  // Ordering: acquire in lock(), release in unlock().
  std::atomic<bool> lock_{false};
  // Guarded by lock_.
  CancelCallback* head_ = nullptr;
  CancelCallback* running_ = nullptr;
  const void* running_thread_ = nullptr;

  Uplink uplink_{this};
};

template <class Publish>
bool CancelCallback::link_and(CancelScope* scope, Publish publish) noexcept {
  if (scope == nullptr) return publish();
  scope->lock();
  if (scope->cancelled_.load(std::memory_order_relaxed)) {
    scope->unlock();
    return false;
  }
  scope_ = scope;
  insert();
  const bool published = publish();
  // The awaiter may be resumed and waiting for this lock in unlink(): nothing but the release now.
  scope->unlock();
  return published;
}

}  // namespace zokio::task
