// SPDX-License-Identifier: Apache-2.0
#include "zokio/group.h"

#include "sched/scheduler.h"
#include "zokio/runtime.h"

namespace zokio {
namespace {

// The executor of a Runtime is its scheduler.
sched::Scheduler& scheduler_of(Runtime& runtime) noexcept {
  return *static_cast<sched::Scheduler*>(runtime.executor());
}

}  // namespace

Result<Group> Group::create(Runtime& runtime, const GroupOptions& options) {
  ZOKIO_TRY(auto gate, scheduler_of(runtime).groups().create(options));
  return Group(std::move(gate));
}

void LeaveGroup::await_suspend(std::coroutine_handle<> h) const noexcept {
  scheduler_of(runtime_).move_in(task::suspend_current(h));
}

}  // namespace zokio
