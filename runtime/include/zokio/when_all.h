// SPDX-License-Identifier: Apache-2.0
#pragma once

// when_all: runs tasks side by side and waits for all of them.
//
//   auto [user, orders] = co_await when_all(load_user(id), load_orders(id));
//
// Each task gets a child task of its own, so they run on several workers at once. Nothing is left
// of any of them when the call returns, so they may borrow from the caller.

#include <array>
#include <tuple>
#include <vector>

#include "zokio/spawn.h"
#include "zokio/task/local.h"

namespace zokio {

namespace internal {

// The children of one when_all or race, in the frame of the task that waits for them. It waits by
// their handles, one after the other, so there is nothing to count.
class Members : Pinned {
 public:
  enum class Until : uint8_t { FirstError, FirstEnd };
  static constexpr std::size_t kNone = SIZE_MAX;

  explicit Members(Until until) noexcept : until_(until) {}

  // A member is through. The one that decides cancels the others.
  void ended(std::size_t index, bool ok) noexcept {
    if (ok && until_ == Until::FirstError) return;
    std::size_t none = kNone;
    if (first_.compare_exchange_strong(none, index, std::memory_order_acq_rel)) scope.cancel();
  }
  // The one that decided. Requires: all ended.
  std::size_t first() const noexcept { return first_.load(std::memory_order_acquire); }

  task::SharedLocals locals;
  task::CancelScope scope;

 private:
  const Until until_;
  std::atomic<std::size_t> first_{kNone};  // any thread
};

// What ties a member to its group while it runs.
class Membership : Pinned {
 public:
  Membership(Members& members, std::size_t index) noexcept
      : members_(members),
        index_(index),
        link_(members.scope, task::current_task()),
        locals_(members.locals) {}
  // By the end of the task, also by an exception. Out of the group first: the one that cancels the
  // rest does not cancel itself.
  ~Membership() {
    locals_.detach();
    link_.detach();
    members_.ended(index_, ok);
  }

  bool ok = false;

 private:
  Members& members_;
  const std::size_t index_;
  task::ChildLink link_;
  task::InheritedLocals locals_;
};

template <class T>
Task<T> run_member(Members* members, std::size_t index, Task<T> task) {
  Membership membership(*members, index);
  Task<T> body = std::move(task);  // its frame goes when it has ended, not with the handle
  if constexpr (std::is_void_v<T>) {
    co_await std::move(body);
    membership.ok = true;
  } else {
    T value = co_await std::move(body);
    if constexpr (is_result_v<T>)
      membership.ok = value.has_value();
    else
      membership.ok = true;
    co_return value;
  }
}

template <class T>
Task<std::vector<Outcome<T>>> run_members(Members::Until until, std::vector<Task<T>> tasks,
                                          std::size_t* first) {
  Members members(until);
  // Everything that can fail comes before the first start: started children have to be awaited.
  std::vector<JoinHandle<T>> handles;
  std::vector<Outcome<T>> outcomes;
  handles.reserve(tasks.size());
  outcomes.reserve(tasks.size());
  task::Executor& executor = *task::executor_of(task::current_task());
  for (std::size_t i = 0; i < tasks.size(); ++i)
    handles.push_back(start(executor, run_member(&members, i, std::move(tasks[i]))));
  for (JoinHandle<T>& handle : handles) outcomes.push_back(co_await handle.ended());
  if (first != nullptr) *first = members.first();
  co_return outcomes;
}

template <class... T, std::size_t... I>
Task<std::tuple<Outcome<T>...>> run_members(std::index_sequence<I...>, Members::Until until,
                                            std::size_t* first, Task<T>... tasks) {
  Members members(until);
  task::Executor& executor = *task::executor_of(task::current_task());
  std::tuple<JoinHandle<T>...> handles{
      start(executor, run_member(&members, I, std::move(tasks)))...};
  std::tuple<Outcome<T>...> outcomes{co_await std::get<I>(handles).ended()...};
  if (first != nullptr) *first = members.first();
  co_return outcomes;
}

}  // namespace internal

// Starts one child for each task and yields all outcomes, in the order of the tasks. The first that
// fails (an error, or an exception: Internal/Panicked) cancels the others; each is awaited, and
// what it came to is in its place, mostly Cancelled. Cancel: passes on to all.
template <class... T>
Task<std::tuple<Outcome<T>...>> when_all(Task<T>... tasks) {
  return internal::run_members<T...>(std::index_sequence_for<T...>{},
                                     internal::Members::Until::FirstError, nullptr,
                                     std::move(tasks)...);
}

// The same for any number of tasks of one type.
template <class T>
Task<std::vector<Outcome<T>>> when_all(std::vector<Task<T>> tasks) {
  return internal::run_members(internal::Members::Until::FirstError, std::move(tasks), nullptr);
}

}  // namespace zokio
