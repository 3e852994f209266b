// SPDX-License-Identifier: Apache-2.0
#pragma once

// join: runs tasks side by side and waits for all of them.

#include <tuple>
#include <vector>

#include "zokio/scope.h"

namespace zokio {

namespace internal {

template <class T>
Task<T> run_task(Task<T> task) {
  co_return co_await std::move(task);
}

}  // namespace internal

// Starts one child for each task and yields all outcomes in order. The first error cancels the
// others; each is awaited. Cancel: passes on to all.
template <class T>
Task<std::vector<Outcome<T>>> join_all(std::vector<Task<T>> tasks) {
  internal::ChildGroup group;
  std::vector<JoinHandle<T>> handles;
  handles.reserve(tasks.size());
  for (Task<T>& task : tasks)
    handles.push_back(internal::spawn_child(group, &internal::run_task<T>, std::move(task)));
  co_await group.join();
  std::vector<Outcome<T>> outcomes;
  outcomes.reserve(handles.size());
  for (JoinHandle<T>& handle : handles) outcomes.push_back(co_await handle.ended());
  co_return outcomes;
}

namespace internal {

template <class... T, std::size_t... I>
Task<std::tuple<Outcome<T>...>> join_indexed(std::index_sequence<I...>, Task<T>... tasks) {
  ChildGroup group;
  auto handles = std::make_tuple(spawn_child(group, &run_task<T>, std::move(tasks))...);
  co_await group.join();
  co_return std::tuple<Outcome<T>...>{co_await std::get<I>(handles).ended()...};
}

}  // namespace internal

// The same for tasks of different types: a tuple of outcomes.
template <class... T>
Task<std::tuple<Outcome<T>...>> join(Task<T>... tasks) {
  return internal::join_indexed<T...>(std::index_sequence_for<T...>{}, std::move(tasks)...);
}

}  // namespace zokio
