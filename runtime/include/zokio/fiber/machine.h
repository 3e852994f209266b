// SPDX-License-Identifier: Apache-2.0
#pragma once

// The switch between a worker's stack and a fiber's, for zokio/fiber.h.
//
// A fiber is driven by the coroutine fiber(): it switches in, and when the fiber waits it suspends
// in the fiber's place, on the worker's stack, when nothing of the fiber runs any more.
// So the awaited thing may resume the task on another thread before await_suspend returned, as for
// any coroutine.
//
// Thread: the task's. The fiber is entered from the stack of whichever worker runs the task.

#include <coroutine>
#include <cstddef>

#include "zokio/base/pinned.h"
#include "zokio/base/result.h"

namespace zokio {

struct FiberOptions {
  // Rounded up to a power of two, at least 16 KiB. Only touched pages cost memory.
  std::size_t stack_bytes = std::size_t{64} << 10;
  const char* name = "unnamed";  // static string, for the report of an overflow

  FiberOptions() {}
  FiberOptions(std::size_t bytes, const char* n) : stack_bytes(bytes), name(n) {}
};

namespace fibers {

inline constexpr std::size_t kMinStackBytes = std::size_t{16} << 10;
inline constexpr std::size_t kMaxStackBytes = std::size_t{64} << 20;

struct Stack;
struct Exceptions;

// An awaiter on the fiber's stack that is not ready, and its await_suspend.
struct Wait {
  void* awaiter;
  std::coroutine_handle<> (*suspend)(void* awaiter, std::coroutine_handle<> h) noexcept;
};

class Fiber : Pinned {
 public:
  // `body(call)` is what runs on the fiber; it lets no exception out.
  Fiber(const FiberOptions& options, void (*body)(void* call) noexcept, void* call) noexcept
      : body_(body), call_(call), options_(options) {}
  ~Fiber();

  // Takes a stack. Errors: see fiber().
  Result<void> start() noexcept;

  // Switches in, until the body ended (true; the stack went back) or waits (false).
  bool resume() noexcept;
  // Suspends its coroutine in the place of the fiber that waits.
  auto waiting() noexcept { return Waiting{wait_}; }

  // On the fiber: leaves it until the awaiter resumes its coroutine.
  void wait(Wait wait) noexcept;

  // The fiber that this thread is on, or null.
  static Fiber* current() noexcept;

  // Async-signal-safe, for the report of an overflow.
  bool guards(const void* address) const noexcept;
  const char* name() const noexcept { return options_.name; }
  std::size_t stack_bytes() const noexcept;

 private:
  struct Waiting {
    explicit Waiting(Wait w) noexcept : wait(w) {}
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) const noexcept {
      return wait.suspend(wait.awaiter, h);
    }
    void await_resume() const noexcept {}
    Wait wait;
  };

  struct Entry;

  void switch_in() noexcept;
  void switch_out() noexcept;
  void arrived() noexcept;
  void swap_exceptions(Exceptions& of_thread) noexcept;

  void (*const body_)(void*) noexcept;
  void* const call_;
  const FiberOptions options_;
  Stack* stack_ = nullptr;
  void* context_ = nullptr;  // where the fiber goes on; valid while it does not run
  void* caller_ = nullptr;   // where its worker goes on; valid while it runs
  Wait wait_{};
  bool ended_ = false;

  // The C++ runtime's list of caught exceptions belongs to a thread; a fiber that waits in a catch
  // block takes its own along.
  void* caught_exceptions_ = nullptr;
  unsigned uncaught_exceptions_ = 0;

  // For sanitizers: there is always room, so that the layout does not depend on the build.
  void* fake_stack_ = nullptr;
  const void* caller_bottom_ = nullptr;
  std::size_t caller_bytes_ = 0;
  void* tsan_fiber_ = nullptr;
  void* tsan_caller_ = nullptr;
};

}  // namespace fibers
}  // namespace zokio
