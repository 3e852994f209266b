// SPDX-License-Identifier: Apache-2.0
#pragma once

// select: a race of which only the winner's outcome matters.
//
//   auto first = co_await select(as_task(receiver), as_task([] { return sleep(1s); }));
//   if (first.index == 0) handle(std::get<0>(first.outcome));
//
// What a loser ended with is dropped, its error and its value: right for a clock or a stop signal,
// wrong for what consumes something as it ends. race() shows every outcome.

#include <optional>
#include <variant>

#include "zokio/race.h"
#include "zokio/task/awaitable.h"

namespace zokio {

// Which task won (its position), and its outcome in the same alternative.
template <class... T>
struct Selected {
  std::size_t index;
  std::variant<Outcome<T>...> outcome;
};

namespace internal {

template <class... T, std::size_t... I>
std::variant<Outcome<T>...> winner_of(std::index_sequence<I...>,
                                      Raced<std::tuple<Outcome<T>...>>& raced) {
  std::optional<std::variant<Outcome<T>...>> outcome;
  static_cast<void>(
      ((raced.winner == I &&
        (outcome.emplace(std::in_place_index<I>, std::move(std::get<I>(raced.outcomes))), true)) ||
       ...));
  return *std::move(outcome);
}

}  // namespace internal

// Cancel: as race().
template <class... T>
  requires(sizeof...(T) > 0)
Task<Selected<T...>> select(Task<T>... tasks) {
  auto raced = co_await race(std::move(tasks)...);
  co_return Selected<T...>{raced.winner,
                           internal::winner_of<T...>(std::index_sequence_for<T...>{}, raced)};
}

}  // namespace zokio
