// SPDX-License-Identifier: Apache-2.0
#pragma once

// OnceCell: a value that the first task that needs it makes, while the others wait for it; an
// attempt that fails or is cancelled leaves the next one its turn. Once: the same without a value.
// Thread: get_or_init and call from tasks; get and done from any thread.

#include <functional>
#include <memory>
#include <utility>

#include "zokio/sync/mutex.h"
#include "zokio/task/task.h"

namespace zokio::sync {

template <class T>
class OnceCell : Pinned {
 public:
  OnceCell() noexcept {}
  ~OnceCell() {
    if (ready()) std::destroy_at(&value_);
  }

  // Null until the value is there; then the same for ever.
  T* get() noexcept { return ready() ? &value_ : nullptr; }

  // The value. When there is none, `init(args...)`, a function that returns Task<Result<T>>, is run
  // by one task at a time until it yields one; both are moved into the task.
  // Errors: init's own, and Cancelled. An exception of init leaves here.
  template <class F, class... A>
  Task<Result<T*>> get_or_init(F init, A... args) {
    if (ready()) co_return &value_;
    ZOKIO_CO_TRY(auto turn, co_await turn_.lock());
    if (!ready()) {
      Result<T> made = co_await std::invoke(init, std::move(args)...);
      if (!made.has_value()) co_return fail(made.error());
      std::construct_at(&value_, *std::move(made));
      // Ordering: release pairs with ready().
      ready_.store(true, std::memory_order_release);
    }
    co_return &value_;
  }

 private:
  bool ready() const noexcept { return ready_.load(std::memory_order_acquire); }

  Mutex turn_;
  Atomic<bool> ready_{false};
  union {
    T value_;
  };
};

class Once : Pinned {
 public:
  bool done() noexcept { return cell_.get() != nullptr; }

  // Runs `f(args...)`, a function that returns Task<Result<void>>, unless it has succeeded before.
  template <class F, class... A>
  Task<Result<void>> call(F f, A... args) {
    if (done()) co_return {};
    auto made = co_await cell_.get_or_init(
        [](F inner, A... values) -> Task<Result<Nothing>> {
          ZOKIO_CO_CHECKED(co_await std::invoke(inner, std::move(values)...));
          co_return Nothing();
        },
        std::move(f), std::move(args)...);
    if (!made.has_value()) co_return fail(made.error());
    co_return {};
  }

 private:
  struct Nothing {};
  OnceCell<Nothing> cell_;
};

}  // namespace zokio::sync
