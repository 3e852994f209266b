// SPDX-License-Identifier: Apache-2.0
#pragma once

// One value from one sender to one receiver; the sender may be any thread.
// A sender that goes without a value ends the wait with Aborted/Closed.
//
// The two share one block from the frame pools: a word and the value, 16 bytes for a small one. The
// receiver is its own awaiter, so a task that waits in it has nothing else in its frame.
//
// The word, a closed list:
//   0             both alive, no value, nobody waits
//   Header*       the receiver's task waits; taken back by a cancel, taken away by the sender
//   kValue        the value is there and the sender gone
//   kClosed       the sender has gone without a value
//   kAbandoned    the receiver has gone; the sender frees the block
// 0 <-> Header* by the receiver and its cancels; to kValue or kClosed by the sender, once, with an
// exchange; 0 -> kAbandoned by the receiver. In kValue and kClosed the block is the receiver's.

#include <memory>
#include <utility>

#include "zokio/base/assert.h"
#include "zokio/mem/frame.h"
#include "zokio/sync/waiter.h"

namespace zokio::sync {

namespace internal {

template <class T>
struct OneshotState {
  static_assert(alignof(T) <= 16, "channels align to 16: send a pointer instead");
  static constexpr uintptr_t kValue = 1;
  static constexpr uintptr_t kClosed = 2;
  static constexpr uintptr_t kAbandoned = 4;
  static constexpr uintptr_t kBits = 7;

  OneshotState() noexcept {}
  ~OneshotState() {}
  static OneshotState* create() noexcept {
    return std::construct_at(static_cast<OneshotState*>(mem::allocate_frame(sizeof(OneshotState))));
  }
  void destroy() noexcept { mem::free_frame(this, sizeof(OneshotState)); }

  Atomic<uintptr_t> word{0};
  union {
    T value;
  };
};

}  // namespace internal

template <class T>
class OneshotSender {
  using State = internal::OneshotState<T>;

 public:
  OneshotSender() = default;
  explicit OneshotSender(State* state) noexcept : state_(state) {}
  OneshotSender(OneshotSender&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  OneshotSender& operator=(OneshotSender&& other) noexcept {
    if (this != &other) {
      close();
      state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
  }
  ~OneshotSender() { close(); }

  // False once the value was sent.
  explicit operator bool() const noexcept { return state_ != nullptr; }

  // Delivers the value; false when the receiver has gone, and the value goes too.
  // Requires: not sent yet. Thread: any.
  bool send(T value) noexcept(std::is_nothrow_move_constructible_v<T>) {
    ZOKIO_DCHECK(state_ != nullptr, "a oneshot sends once");
    std::construct_at(&state_->value, std::move(value));
    State* state = std::exchange(state_, nullptr);
    // Ordering: release publishes the value; acquire sees the waiter's frame, or that it has gone.
    const uintptr_t before = state->word.exchange(State::kValue, std::memory_order_acq_rel);
    if (before == 0) return true;  // the block is the receiver's
    if (before == State::kAbandoned) {
      std::destroy_at(&state->value);
      state->destroy();
      return false;
    }
    task::wake(reinterpret_cast<task::Header*>(before));
    return true;
  }

 private:
  void close() noexcept {
    if (state_ != nullptr) give_up();
  }
  [[gnu::noinline]] void give_up() noexcept {
    State* state = std::exchange(state_, nullptr);
    const uintptr_t before = state->word.exchange(State::kClosed, std::memory_order_acq_rel);
    if (before == State::kAbandoned)
      state->destroy();
    else if (before != 0)
      task::wake(reinterpret_cast<task::Header*>(before));
  }

  State* state_ = nullptr;
};

template <class T>
class OneshotReceiver : task::Wait {
  using State = internal::OneshotState<T>;

 public:
  OneshotReceiver() noexcept : Wait(&kOps) {}
  explicit OneshotReceiver(State* state) noexcept : Wait(&kOps), state_(state) {}
  // Requires: nobody waits in it.
  OneshotReceiver(OneshotReceiver&& other) noexcept
      : Wait(&kOps), state_(std::exchange(other.state_, nullptr)) {}
  OneshotReceiver& operator=(OneshotReceiver&& other) noexcept {
    if (this != &other) {
      close();
      state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
  }
  ~OneshotReceiver() { close(); }

  // False once the value, or that there will be none, was received.
  explicit operator bool() const noexcept { return state_ != nullptr; }

  // Result<T>: Aborted/Closed when the sender went or the value was received before; Cancelled when
  // the task was asked to stop first (the value can still be received later).
  // `co_await receiver` is the same. One wait at a time.
  OneshotReceiver& recv() noexcept { return *this; }

  bool await_ready() noexcept {
    if (state_ == nullptr) return true;
    const uintptr_t word = state_->word.load(std::memory_order_acquire);
    return (word & State::kBits) != 0 && task::consume_budget();
  }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
    if ((state_->word.load(std::memory_order_relaxed) & State::kBits) != 0)
      return internal::give_turn(h);
    task::Header* self = task::suspend_current(h);
    return task::after_suspend(task::begin_wait(self, this,
                                                [this, self]() noexcept {
                                                  uintptr_t none = 0;
                                                  // Ordering: release publishes resume_point to the
                                                  // sender.
                                                  return state_->word.compare_exchange_strong(
                                                      none, reinterpret_cast<uintptr_t>(self),
                                                      std::memory_order_release,
                                                      std::memory_order_relaxed);
                                                }),
                               h);
  }
  // Inlined always: the compiler then keeps the result out of the caller's frame.
  [[gnu::always_inline]] Result<T> await_resume() noexcept(
      std::is_nothrow_move_constructible_v<T>) {
    task::end_wait(task::current_task());
    if (state_ == nullptr || state_->word.load(std::memory_order_acquire) != State::kValue)
        [[unlikely]]
      return no_value();
    Result<T> result(std::move(state_->value));
    free_with_value();
    return result;
  }

 private:
  static void interrupt(task::Wait* base) noexcept {
    auto* self = static_cast<OneshotReceiver*>(base);
    uintptr_t word = self->state_->word.load(std::memory_order_relaxed);
    if (word == 0 || (word & State::kBits) != 0) return;
    auto* task = reinterpret_cast<task::Header*>(word);
    // Whoever takes the waiter away wakes it: this, or the sender.
    if (self->state_->word.compare_exchange_strong(word, 0, std::memory_order_acq_rel,
                                                   std::memory_order_relaxed))
      task::wake(task);
  }
  static constexpr task::WaitOps kOps{&interrupt, "oneshot"};

  [[gnu::noinline]] std::unexpected<Error> no_value() noexcept {
    if (state_ != nullptr) {
      if (state_->word.load(std::memory_order_acquire) != State::kClosed)
        return fail(Errc::Cancelled, "oneshot");
      std::exchange(state_, nullptr)->destroy();
    }
    return fail(Errc::Aborted, "oneshot", Detail::Closed);
  }

  void free_with_value() noexcept {
    std::destroy_at(&state_->value);
    std::exchange(state_, nullptr)->destroy();
  }
  void close() noexcept {
    if (state_ != nullptr) abandon();
  }
  [[gnu::noinline]] void abandon() noexcept {
    uintptr_t word = 0;
    // Ordering: release, then the sender frees; acquire on failure, then this does.
    if (state_->word.compare_exchange_strong(word, State::kAbandoned, std::memory_order_release,
                                             std::memory_order_acquire))
      state_ = nullptr;
    else if (word == State::kValue)
      free_with_value();
    else
      std::exchange(state_, nullptr)->destroy();
  }

  State* state_ = nullptr;
};

template <class T>
std::pair<OneshotSender<T>, OneshotReceiver<T>> oneshot() noexcept {
  auto* state = internal::OneshotState<T>::create();
  return std::pair<OneshotSender<T>, OneshotReceiver<T>>(state, state);
}

}  // namespace zokio::sync
