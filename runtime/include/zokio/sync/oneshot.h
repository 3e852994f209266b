// SPDX-License-Identifier: Apache-2.0
#pragma once

// One value from one sender to one receiver; the sender may be any thread.
// A sender that goes without a value ends the wait with Aborted/Closed.

#include <memory>
#include <optional>
#include <utility>

#include "zokio/sync/waiter.h"

namespace zokio::sync {

namespace internal {

template <class T>
struct OneshotState {
  WaitList waiters;
  // Guarded by waiters.
  std::optional<T> value;
  bool closed = false;
};

}  // namespace internal

template <class T>
class OneshotSender {
 public:
  OneshotSender() = default;
  explicit OneshotSender(std::shared_ptr<internal::OneshotState<T>> s) noexcept
      : state_(std::move(s)) {}
  OneshotSender(OneshotSender&&) noexcept = default;
  OneshotSender& operator=(OneshotSender&& other) noexcept {
    if (this != &other) {
      close();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  ~OneshotSender() { close(); }

  // Delivers the value. Requires: not sent yet. Thread: any.
  void send(T value) {
    finish([&](internal::OneshotState<T>& state) { state.value.emplace(std::move(value)); });
  }

 private:
  void close() noexcept {
    if (state_) finish([](internal::OneshotState<T>& state) { state.closed = true; });
  }
  template <class Change>
  void finish(Change change) {
    auto state = std::move(state_);
    task::Header* task;
    {
      std::scoped_lock guard(state->waiters);
      change(*state);
      task = state->waiters.take_first();
    }
    if (task != nullptr) task::wake(task);
  }

  std::shared_ptr<internal::OneshotState<T>> state_;
};

template <class T>
class OneshotReceiver {
 public:
  explicit OneshotReceiver(std::shared_ptr<internal::OneshotState<T>> s) noexcept
      : state_(std::move(s)) {}
  OneshotReceiver(OneshotReceiver&&) noexcept = default;
  OneshotReceiver& operator=(OneshotReceiver&&) noexcept = default;

  // Result<T>: Aborted/Closed when the sender went, Cancelled when the task was asked to stop
  // (the value can still be received later).
  auto recv() noexcept { return Recv(*state_); }

 private:
  class [[nodiscard]] Recv : internal::Waiter {
   public:
    explicit Recv(internal::OneshotState<T>& s) noexcept : state_(s) {}
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> h) noexcept {
      return wait_in(state_.waiters, h,
                     [this]() noexcept { return state_.value.has_value() || state_.closed; });
    }
    Result<T> await_resume() {
      const bool woke = woken();
      std::scoped_lock guard(state_.waiters);
      if (state_.value.has_value()) {
        T value = std::move(*state_.value);
        state_.value.reset();
        state_.closed = true;
        return value;
      }
      if (woke) return fail(Errc::Aborted, "oneshot", Detail::Closed);
      return fail(Errc::Cancelled, "oneshot");
    }

   private:
    internal::OneshotState<T>& state_;
  };

  std::shared_ptr<internal::OneshotState<T>> state_;
};

template <class T>
std::pair<OneshotSender<T>, OneshotReceiver<T>> oneshot() {
  auto state = std::make_shared<internal::OneshotState<T>>();
  return {OneshotSender<T>(state), OneshotReceiver<T>(state)};
}

}  // namespace zokio::sync
