// SPDX-License-Identifier: Apache-2.0
#pragma once

// Coroutine frames: a coroutine is called, suspends once, is resumed to its end and destroyed. The
// frame's size is known to the compiler at the call.
// Thread: each thread has its own coroutines.

#include <coroutine>
#include <exception>

#include "measure.h"

namespace bench::mem {

template <class A, size_t FrameBytes>
struct Coroutine {
  struct promise_type {
    uint64_t value = 0;

    Coroutine get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() noexcept { ++value; }
    void unhandled_exception() noexcept { std::terminate(); }

    // The workload is named after this size.
    static void* operator new(size_t bytes) {
      if (bytes != FrameBytes) std::abort();
      if constexpr (WithoutAllocator<A>)
        return A::place(0);
      else
        return A::allocate(bytes);
    }
    static void operator delete(void* frame, size_t bytes) {
      if constexpr (!WithoutAllocator<A>) A::deallocate(frame, bytes);
    }
  };
  std::coroutine_handle<promise_type> handle;
};

template <class A>
Coroutine<A, 32> small_coroutine() {
  co_await std::suspend_always{};
}

// With 512 bytes of local state, of which it touches both ends.
template <class A>
Coroutine<A, 544> large_coroutine() {
  uint64_t local[64];
  uint64_t* state = local;
  opaque(state);
  state[0] = state[63] = 1;
  co_await std::suspend_always{};
  state = local;
  opaque(state);
  if (state[0] != state[63]) std::abort();
}

template <class A, auto Call>
class Frames {
 public:
  using Handle = decltype(Call().handle);
  static constexpr bool kAlone = true;
  static constexpr uint64_t kOps = 4096;

  bool iterate() {
    bool ok = true;
    for (uint64_t i = 0; i < kOps; ++i) {
      void* address = Call().handle.address();
      opaque(address);  // keeps the frame on the heap, and its end unknown
      const auto handle = Handle::from_address(address);
      handle.promise().value = i;
      handle.resume();
      ok &= handle.done() && handle.promise().value == i + 1;
      handle.destroy();
    }
    return ok;
  }
  bool finish() { return true; }
};

}  // namespace bench::mem
