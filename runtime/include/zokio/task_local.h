// SPDX-License-Identifier: Apache-2.0
#pragma once

// TaskLocal: a value that everything a task does can see while one of its expressions runs.
//
//   inline constinit TaskLocal<RequestId> request_id;
//   co_await request_id.with(RequestId(7), handle(request));
//   ... anywhere inside handle():  if (const RequestId* id = request_id.get()) log(*id);
//
// It belongs to the task, not to the thread: it goes with the task to another worker. Children of
// with_scope, when_all, race and select see what was bound where their block was opened. A task
// that is spawned on its own does not: it may outlive the binding, so hand it the value and bind it
// there.

#include <type_traits>

#include "zokio/base/pinned.h"
#include "zokio/task/local.h"
#include "zokio/task/task.h"

namespace zokio {

// Its address is the key: one object, usually `inline constinit` or static.
template <class T>
class TaskLocal : Pinned {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "TaskLocal binds values");

 public:
  constexpr TaskLocal() noexcept = default;

  // The innermost value bound around the caller; null when there is none, and outside tasks. Const,
  // because children of the same block share it. Valid as long as the binding.
  const T* get() const noexcept { return static_cast<const T*>(task::find_local(this)); }

  // Runs `task` with `value` bound. Inner bindings hide outer ones.
  template <class R>
  Task<R> with(T value, Task<R> task) const {
    return bind(this, std::move(value), std::move(task));
  }

 private:
  template <class R>
  static Task<R> bind(const TaskLocal* key, T value, Task<R> task) {
    task::Binding binding(key, &value);
    co_return co_await std::move(task);
  }
};

}  // namespace zokio
