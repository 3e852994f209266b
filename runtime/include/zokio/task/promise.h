// SPDX-License-Identifier: Apache-2.0
#pragma once

// The promise of a Task coroutine, and what becomes of it at its end.
//
// One layout serves both lives of a frame: awaited by another coroutine, or spawned as a task.
//
// A spawned coroutine whose parameters have destructors (kOwning) is destroyed as soon as it ended,
// so that they die with the task and not with its handle. The memory stays, and in it the header,
// the link and the outcome, until the handle is gone too: promises have no destructor that does
// anything, and operator delete leaves the frame alone while kEnding is set.
//
// Promise::link says which life it is, a closed list:
//   address of a coroutine      awaited: resumed at the end
//   Fork* | kBranch, or with kStolen  a branch of a fork: fork.h
//   kRoot                       spawned; the handle is alive, nobody waits
//   Header* | kRoot             spawned; that task waits in the handle
//   ThreadWaiter* | kRoot | kThread   spawned; that thread waits
//   kRoot | kDetached           spawned; the handle is gone: the end frees the memory
//   kRoot | kFinished           ended; the memory belongs to the handle
// Changed by the handle's owner, and once by the end of the task, with read-modify-writes.

#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "zokio/base/result.h"
#include "zokio/mem/frame.h"
#include "zokio/task/header.h"

namespace zokio::task {

inline constexpr uintptr_t kRoot = 1;
inline constexpr uintptr_t kDetached = kRoot | 2;
inline constexpr uintptr_t kFinished = kRoot | 4;
inline constexpr uintptr_t kThread = 2;  // with an address
inline constexpr uintptr_t kBranch = 2;  // without kRoot
inline constexpr uintptr_t kStolen = 4;  // with kBranch
inline constexpr uintptr_t kLinkBits = 7;

// A thread outside the runtime that waits for the end of one task: first a short spin, because
// waking a sleeping thread costs more than most tasks, then a futex.
class alignas(kLinkBits + 1) ThreadWaiter : Pinned {
 public:
  void wait() noexcept;
  // The waiter may be gone when this returns.
  void wake() noexcept;

 private:
  bool ends_soon() noexcept;
  void sleep() noexcept;

  enum : uint32_t { kRunning, kSleeping, kEnded };
  Atomic<uint32_t> word_{kRunning};
};

struct Promise : Header {
  // Frames come from the per-worker pools.
  static void* operator new(std::size_t bytes) {
    void* frame = mem::allocate_frame(bytes);
    in(frame).status = 0;  // for the delete, should a parameter throw while it is copied in
    return frame;
  }
  static void operator delete(void* frame, std::size_t bytes) noexcept {
    Promise& promise = in(frame);
    if ((promise.status & kEnding) == 0) [[likely]]
      mem::free_frame(frame, bytes);
    else
      promise.frame_bytes = bytes;
  }

  std::suspend_always initial_suspend() const noexcept { return {}; }
  // The exception lies where the queue link was: a task that runs is in no queue.
  void unhandled_exception() noexcept {
    std::construct_at(exception(), std::current_exception());
    status |= kException;
  }
  std::exception_ptr* exception() noexcept { return reinterpret_cast<std::exception_ptr*>(&next); }
  static_assert(sizeof(std::exception_ptr) == sizeof(Header*));

  std::coroutine_handle<> handle() noexcept {
    return std::coroutine_handle<Promise>::from_promise(*this);
  }

  // Makes the suspended coroutine a task of its own, with one handle. Its first run starts it.
  void become_task() noexcept {
    resume_point = handle();
    scope.store(nullptr, std::memory_order_relaxed);
    wait.store(0, std::memory_order_relaxed);
    flags.store(0, std::memory_order_relaxed);
    link.store(kRoot, std::memory_order_relaxed);
  }

  // At the end of a task: lets its parameters go, and keeps the memory.
  void drop_parameters() noexcept {
    if ((status & kOwning) == 0) [[likely]]
      return;
    status |= kEnding;
    handle().destroy();
  }
  // Gives an ended task's frame back. Requires: drop_parameters(), and no outcome is left in it.
  void free_frame() noexcept {
    if ((status & kEnding) == 0) [[likely]]
      handle().destroy();
    else
      free_memory();
  }

  Atomic<uintptr_t> link;

 protected:
  void drop_exception() noexcept {
    if ((status & kException) != 0) [[unlikely]]
      std::destroy_at(exception());
  }

 private:
  void free_memory() noexcept;
  static Promise& in(void* frame) noexcept {
    return std::coroutine_handle<Promise>::from_address(frame).promise();
  }
};

// The end of a spawned task: its parameters go, it leaves the figures, its waiter is woken, its
// frame is freed when nobody holds it (`discard`: ValuePromise<T>::discard). What to resume next:
// the waiter itself when it can run here at once.
std::coroutine_handle<> finish(Promise* task, Ending ending,
                               void (*discard)(Promise*) noexcept) noexcept;

template <class T>
struct ValuePromise : Promise {
  static_assert(alignof(T) <= 16, "frames are aligned to 16: keep such an object on the heap");
  void return_value(T v) noexcept(std::is_nothrow_move_constructible_v<T>) {
    std::construct_at(reinterpret_cast<T*>(storage), std::move(v));
    status |= kValue;
  }
  T take() {
    if ((status & kException) != 0) [[unlikely]]
      std::rethrow_exception(*exception());
    return std::move(value());
  }
  T& value() noexcept { return *std::launder(reinterpret_cast<T*>(storage)); }
  const T& value() const noexcept { return *std::launder(reinterpret_cast<const T*>(storage)); }
  // Destroys the outcome; the owner of the frame does, before the frame goes.
  void drop_outcome() noexcept {
    if constexpr (!std::is_trivially_destructible_v<T>)
      if ((status & kValue) != 0) std::destroy_at(&value());
    drop_exception();
  }
  static void discard(Promise* task) noexcept {
    static_cast<ValuePromise*>(task)->drop_outcome();
    task->free_frame();
  }
  Ending ending() const noexcept {
    if ((status & kValue) == 0) return Ending::Failed;
    if constexpr (is_result_v<T>) {
      if (value().has_value()) return Ending::Ok;
      return value().error().code == Errc::Cancelled ? Ending::Cancelled : Ending::Failed;
    } else {
      return Ending::Ok;
    }
  }
  // What a join yields.
  Outcome<T> outcome() {
    if ((status & kValue) == 0) return fail(Errc::Internal, "task", Detail::Panicked);
    return Outcome<T>(std::move(value()));
  }
  alignas(T) std::byte storage[sizeof(T)];
};

template <>
struct ValuePromise<void> : Promise {
  void return_void() noexcept { status |= kValue; }
  void take() {
    if ((status & kException) != 0) [[unlikely]]
      std::rethrow_exception(*exception());
  }
  void drop_outcome() noexcept { drop_exception(); }
  static void discard(Promise* task) noexcept {
    static_cast<ValuePromise*>(task)->drop_outcome();
    task->free_frame();
  }
  Ending ending() const noexcept { return (status & kValue) != 0 ? Ending::Ok : Ending::Failed; }
  Outcome<void> outcome() {
    if ((status & kValue) == 0) return fail(Errc::Internal, "task", Detail::Panicked);
    return {};
  }
};

}  // namespace zokio::task
