// SPDX-License-Identifier: Apache-2.0
#pragma once

// Cancellation: a request that is delivered to whoever waits, and then awaited.
//
// A CancelScope is one place that can be cancelled; scopes form a tree (a task, its timeouts, its
// structured children), and a request travels down. Cancelling never destroys anything: the wait
// that is in progress ends with Errc::Cancelled and the code decides what to do.
//
// An awaiter registers a CancelCallback before it publishes itself (see docs/coroutine_hazards.md):
// the callback may run at once, in the constructor, and on any thread.
//
// Source: the protocol is that of std::stop_callback, with an intrusive list and without a heap state.

#include <atomic>
#include <cstdint>

#include "zokio/base/pinned.h"

namespace zokio::task {

class CancelScope;

// One registration. Lives in an awaiter or on a stack.
class CancelCallback : Pinned {
 public:
  using Fn = void (*)(CancelCallback*) noexcept;

  // Registers with `scope` (null: never cancelled). Calls `fn` in here if it is cancelled already.
  CancelCallback(CancelScope* scope, Fn fn) noexcept;
  explicit CancelCallback(Fn fn) noexcept : fn_(fn) {}
  ~CancelCallback() { unlink(); }

  // For an object that was built before its scope was known. Call at most once.
  void link(CancelScope* scope) noexcept;
  // After this the callback is not running and will not run. Waits for one that runs on another
  // thread (it is short: it takes one lock and schedules). Idempotent.
  void unlink() noexcept;

 private:
  friend class CancelScope;
  Fn fn_;
  CancelScope* scope_ = nullptr;
  CancelCallback* next_ = nullptr;
  CancelCallback* prev_ = nullptr;
  bool linked_ = false;   // guarded by scope_->lock_
};

class CancelScope : Pinned {
 public:
  CancelScope() = default;
  // A child: cancelled when `parent` is. `parent` outlives it.
  explicit CancelScope(CancelScope* parent) noexcept;
  ~CancelScope();

  // True once cancel() was called. Thread: any.
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_acquire); }
  // Requests cancellation; runs the callbacks on this thread. Idempotent. Thread: any.
  void cancel() noexcept;

 private:
  friend class CancelCallback;
  void lock() const noexcept;
  void unlock() const noexcept;

  // Ordering: release in cancel(); pairs with the acquire in cancelled().
  std::atomic<bool> cancelled_{false};
  mutable std::atomic<bool> lock_{false};
  // Guarded by lock_.
  CancelCallback* head_ = nullptr;
  CancelCallback* running_ = nullptr;
  uint64_t running_thread_ = 0;

  // The registration with the parent, if any.
  struct ParentLink : CancelCallback {
    explicit ParentLink(CancelScope* self) noexcept;
    CancelScope* self;
  };
  ParentLink* parent_link() noexcept;
  // In place: CancelCallback is complete here, ParentLink is one pointer larger.
  alignas(void*) unsigned char parent_storage_[sizeof(CancelCallback) + sizeof(void*)];
  bool has_parent_ = false;
};

}  // namespace zokio::task
