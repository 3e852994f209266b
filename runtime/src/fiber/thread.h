// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a thread knows about fibers. Asked for anew after every switch: a fiber that went on another
// thread must not use the state of the one before.

namespace zokio::fibers {

class Fiber;

// How both C++ runtimes begin their state of a thread.
struct Exceptions {
  void* caught = nullptr;
  unsigned uncaught = 0;
};

struct ThreadState {
  Fiber* current = nullptr;          // the fiber this thread is on
  Exceptions* exceptions = nullptr;  // of the C++ runtime; null: the thread is not prepared yet
};

// Out of line and opaque, so that no compiler keeps the address across a switch.
ThreadState& thread_state() noexcept;

}  // namespace zokio::fibers
