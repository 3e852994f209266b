// SPDX-License-Identifier: Apache-2.0
#pragma once

// race: runs tasks side by side until the first one ends, with a value or an error.
//
//   auto done = co_await race(fetch(primary), fetch(mirror));
//   if (done.winner == 0) use(std::get<0>(done.outcomes));
//
// The others are cancelled then, and awaited, so nothing of them is left; but a loser may have got
// what it waited for before the cancel came. Nothing of that is lost: every outcome is there.
// Who wants the winner's alone takes select().

#include "zokio/when_all.h"

namespace zokio {

template <class Outcomes>
struct Raced {
  std::size_t winner;  // position of the task that ended first
  Outcomes outcomes;   // of all; a loser's is mostly Cancelled
};

// Cancel: passes on to all; the first to end wins as ever. An exception counts as the error
// Internal/Panicked.
template <class... T>
  requires(sizeof...(T) > 0)
Task<Raced<std::tuple<Outcome<T>...>>> race(Task<T>... tasks) {
  std::size_t winner = internal::Members::kNone;
  auto outcomes = co_await internal::run_members<T...>(std::index_sequence_for<T...>{},
                                                       internal::Members::Until::FirstEnd, &winner,
                                                       std::move(tasks)...);
  co_return Raced<std::tuple<Outcome<T>...>>{winner, std::move(outcomes)};
}

// The same for any number of tasks of one type. Requires: at least one.
template <class T>
Task<Raced<std::vector<Outcome<T>>>> race(std::vector<Task<T>> tasks) {
  ZOKIO_CHECK(!tasks.empty(), "a race of nobody has no winner");
  std::size_t winner = internal::Members::kNone;
  auto outcomes =
      co_await internal::run_members(internal::Members::Until::FirstEnd, std::move(tasks), &winner);
  co_return Raced<std::vector<Outcome<T>>>{winner, std::move(outcomes)};
}

}  // namespace zokio
