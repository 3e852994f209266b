// SPDX-License-Identifier: Apache-2.0
#pragma once

// fork: tasks side by side, for computations that split themselves.
//
//   Task<uint64_t> fib(unsigned n) {
//     if (n < 2) co_return n;
//     auto [a, b] = co_await fork(fib(n - 1), fib(n - 2));
//     co_return a + b;
//   }
//
// The branches run in the calling task, one after the other, as if each were awaited, until a
// worker without work takes one: then that one is a task of its own, named "fork". A fork of two
// that nobody takes costs about as much as two awaits; there is no limit to how small a branch may
// be. All branches end before the fork does, so they may borrow from the caller. The first
// exception, by order of the branches, is rethrown then.
//
// A branch may wait: the others become tasks meanwhile. It may run on another worker than its
// siblings, at the same time, so what they share needs what any two tasks need. Cancel: passes on
// to all branches, and waits for them. Task-locals: a branch sees what the caller sees.
//
// To run tasks that mostly wait, use when_all(), which starts all of them at once and cancels the
// rest when one fails. See docs/forks.md.

#include <array>
#include <exception>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "zokio/task/fork.h"
#include "zokio/task/task.h"

namespace zokio {

namespace internal {

// What stands for void among other results.
template <class T>
using ForkResult = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

// Out of line, because the exception would have its place in every frame that forks.
[[noreturn, gnu::cold, gnu::noinline]] inline void rethrow(task::Promise* branch) {
  std::rethrow_exception(*branch->exception());
}
inline bool has_thrown(const task::Promise* branch) noexcept {
  return (branch->status & task::Header::kException) != 0;
}

// The result of a branch that ended, or its exception.
template <class T>
[[gnu::always_inline]] inline ForkResult<T> take_result(task::Promise* branch) {
  if (has_thrown(branch)) [[unlikely]]
    rethrow(branch);
  if constexpr (std::is_void_v<T>)
    return {};
  else
    return std::move(static_cast<task::ValuePromise<T>*>(branch)->value());
}

// The branches of one co_await, started and freed together.
template <class... T>
class [[nodiscard("a fork does nothing until it is awaited")]] ForkOf {
 public:
  explicit ForkOf(Task<T>... tasks) noexcept : branches_{tasks.release()...} {}
  [[gnu::always_inline]] ~ForkOf() { free_all(std::index_sequence_for<T...>{}); }

  bool await_ready() const noexcept { return false; }
  [[gnu::always_inline]] std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) noexcept {
    return fork_.begin(h, branches_, sizeof...(T));
  }
  [[gnu::always_inline]] auto await_resume() {
    fork_.end();
    return results(std::index_sequence_for<T...>{});
  }

 private:
  template <std::size_t... I>
  [[gnu::always_inline]] auto results(std::index_sequence<I...>) {
    if constexpr ((std::is_void_v<T> && ...))
      (take_result<T>(branches_[I]), ...);
    else
      return std::tuple<ForkResult<T>...>{take_result<T>(branches_[I])...};
  }
  template <std::size_t... I>
  [[gnu::always_inline]] void free_all(std::index_sequence<I...>) noexcept {
    (task::ValuePromise<T>::discard(branches_[I]), ...);
  }

  task::Fork fork_;
  task::Promise* branches_[sizeof...(T)];
};

// Awaits `count` branches that lie side by side, and does not own them.
struct [[nodiscard("branches do nothing until they are awaited")]] ForkJoin {
  task::Fork& fork;
  task::Promise* const* branches;
  std::size_t count;

  bool await_ready() const noexcept { return count == 0; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) const noexcept {
    return fork.begin(h, branches, static_cast<unsigned>(count));
  }
  void await_resume() const {
    if (count == 0) return;
    fork.end();
    for (std::size_t i = 0; i < count; ++i)
      if (has_thrown(branches[i])) [[unlikely]]
        rethrow(branches[i]);
  }
};

}  // namespace internal

// Runs the tasks side by side and yields their results, in their order: a std::tuple, with
// std::monostate for void; void when all are. Requires: awaited by a task of a runtime.
template <class... T>
  requires(sizeof...(T) >= 2)
internal::ForkOf<T...> fork(Task<T>... tasks) noexcept {
  return internal::ForkOf<T...>(std::move(tasks)...);
}

// Up to N branches of one type, where their number is known only when it runs. Nothing is allocated
// but the branches, and the results are read where they are:
//
//   Branches<uint64_t, 12> branches;
//   for (...) branches.add(solve(step));
//   co_await branches.join();
//   for (unsigned i = 0; i < branches.size(); ++i) found += branches[i];
template <class T, std::size_t N>
class Branches {
 public:
  Branches() noexcept {}
  ~Branches() {
    for (std::size_t i = 0; i < size_; ++i) task::ValuePromise<T>::discard(branches_[i]);
  }

  // Requires: fewer than N are there, and it is not joined.
  void add(Task<T> task) noexcept {
    ZOKIO_DCHECK(size_ < N, "more branches than there is room for");
    branches_[size_++] = task.release();
  }
  std::size_t size() const noexcept { return size_; }
  // The result of the one that was added as the i-th. Requires: joined.
  std::add_lvalue_reference_t<T> operator[](std::size_t i) noexcept
    requires(!std::is_void_v<T>)
  {
    return static_cast<task::ValuePromise<T>*>(branches_[i])->value();
  }

  // Runs all and rethrows the first exception. Once.
  auto join() noexcept { return internal::ForkJoin{fork_, branches_.data(), size_}; }

 private:
  task::Fork fork_;
  std::size_t size_ = 0;
  std::array<task::Promise*, N> branches_;
};

namespace internal {

// Branches whose number has no bound.
template <class T>
class BranchList {
 public:
  explicit BranchList(std::vector<Task<T>>& tasks) : branches_(tasks.size()) {
    for (std::size_t i = 0; i < tasks.size(); ++i) branches_[i] = tasks[i].release();
  }
  ~BranchList() {
    for (task::Promise* branch : branches_) task::ValuePromise<T>::discard(branch);
  }
  auto join() noexcept { return ForkJoin{fork_, branches_.data(), branches_.size()}; }
  // Requires: joined.
  std::vector<ForkResult<T>> results() {
    std::vector<ForkResult<T>> results;
    results.reserve(branches_.size());
    for (task::Promise* branch : branches_) results.push_back(take_result<T>(branch));
    return results;
  }

 private:
  task::Fork fork_;
  std::vector<task::Promise*> branches_;
};

}  // namespace internal

// Any number of branches of one type. Yields their results in the order of the tasks; nothing when
// T is void.
template <class T>
auto fork_all(std::vector<Task<T>> tasks)
    -> Task<std::conditional_t<std::is_void_v<T>, void, std::vector<internal::ForkResult<T>>>> {
  internal::BranchList<T> branches(tasks);
  co_await branches.join();
  if constexpr (!std::is_void_v<T>) co_return branches.results();
}

}  // namespace zokio
