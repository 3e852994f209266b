// SPDX-License-Identifier: Apache-2.0
#pragma once

// A meeting point of a fixed number of tasks, again and again: the last to arrive lets all go on.
// Thread: tasks.
//
// The word, a closed list (waiter.h): 0 nobody waits; the FIFO of those who have arrived.

#include "zokio/base/assert.h"
#include "zokio/sync/waiter.h"

namespace zokio::sync {

class Barrier : Pinned {
 public:
  // Requires: count > 0.
  explicit Barrier(uint32_t count) noexcept : count_(count) {
    ZOKIO_CHECK(count > 0, "a barrier of none");
  }

  // Result<bool>: whether this task was the last to arrive, the leader of the round. Cancelled when
  // the task was asked to stop first; it has not arrived then.
  auto wait() noexcept { return Wait(*this); }

 private:
  using Word = internal::WaitWord;

  class [[nodiscard]] Wait : internal::Waiter {
   public:
    explicit Wait(Barrier& barrier) noexcept : barrier_(barrier) {}
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
      const bool waits = wait(&kOps, h, [this]() noexcept { return barrier_.arrive(this); });
      // Those it has woken come first when the leader never has to wait itself.
      if (!waits && taken() && !task::consume_budget()) return internal::give_turn(h);
      return task::after_suspend(waits, h);
    }
    Result<bool> await_resume() noexcept {
      if (woken()) return leader_;
      return fail(Errc::Cancelled, "barrier");
    }

   private:
    friend class Barrier;
    static void interrupt(task::Wait* base) noexcept;
    static constexpr task::WaitOps kOps{&interrupt, "barrier"};

    Barrier& barrier_;
    bool leader_ = false;
  };

  bool arrive(Wait* waiter) noexcept;

  Word word_;
  const uint32_t count_;
  uint32_t arrived_ = 0;  // guarded by the word's lock
};

}  // namespace zokio::sync
