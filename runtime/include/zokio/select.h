// SPDX-License-Identifier: Apache-2.0
#pragma once

// select: runs tasks side by side and takes the first that ends.
//
// The others are cancelled and awaited, so nothing of them is left; what they had consumed by then
// is theirs to give back, which is why cancelled I/O returns its buffer.

#include <optional>
#include <variant>

#include "zokio/join.h"

namespace zokio {

// Which task won (its position), and its outcome in the same alternative.
template <class... T>
struct Selected {
  std::size_t index;
  std::variant<Outcome<T>...> outcome;
};

namespace internal {

inline constexpr std::size_t kNoWinner = SIZE_MAX;

template <class T>
Task<T> run_racer(ChildGroup* group, std::atomic<std::size_t>* winner, std::size_t index,
                  Task<T> task) {
  // Decided by the end of the task, also by an exception.
  struct Finish {
    ChildGroup* group;
    std::atomic<std::size_t>* winner;
    std::size_t index;
    ~Finish() {
      std::size_t none = kNoWinner;
      if (winner->compare_exchange_strong(none, index, std::memory_order_acq_rel))
        group->scope.cancel();
    }
  };
  Finish finish{group, winner, index};
  co_return co_await std::move(task);
}

// A racer's error is an outcome, not a failure of the group.
template <class T>
Task<std::optional<Outcome<T>>> keep_outcome(ChildGroup* group, std::atomic<std::size_t>* winner,
                                             std::size_t index, Task<T> task) {
  std::optional<Outcome<T>> kept;
  if constexpr (std::is_void_v<T>) {
    co_await run_racer(group, winner, index, std::move(task));
    kept.emplace();
  } else {
    kept.emplace(co_await run_racer(group, winner, index, std::move(task)));
  }
  co_return kept;
}

// Puts what racer I kept into `out`, if it is the winner.
template <std::size_t I, class... T, class Kept>
void take_winner(std::size_t index, Kept& kept, std::optional<Selected<T...>>& out) {
  if (index != I) return;
  using Alternative = std::variant_alternative_t<I, std::variant<Outcome<T>...>>;
  // Without a value the racer ended by an exception.
  Alternative value =
      kept.has_value() ? std::move(**kept) : Alternative(std::unexpect, kept.error());
  out.emplace(
      Selected<T...>{I, std::variant<Outcome<T>...>(std::in_place_index<I>, std::move(value))});
}

template <class... T, std::size_t... I>
Task<Selected<T...>> select_indexed(std::index_sequence<I...>, Task<T>... tasks) {
  ChildGroup group;
  std::atomic<std::size_t> winner{kNoWinner};
  auto handles = std::make_tuple(
      spawn_child(group, &keep_outcome<T>, &group, &winner, I, std::move(tasks))...);
  co_await group.join();
  const std::size_t index = winner.load(std::memory_order_acquire);
  ZOKIO_CHECK(index != kNoWinner, "one of the tasks ended first");
  std::optional<Selected<T...>> selected;
  std::tuple kept{co_await std::get<I>(handles).ended()...};
  (take_winner<I, T...>(index, std::get<I>(kept), selected), ...);
  co_return *std::move(selected);
}

}  // namespace internal

// Cancel: passes on to all; the first to end wins as ever.
template <class... T>
  requires(sizeof...(T) > 0)
Task<Selected<T...>> select(Task<T>... tasks) {
  return internal::select_indexed<T...>(std::index_sequence_for<T...>{}, std::move(tasks)...);
}

}  // namespace zokio
