// SPDX-License-Identifier: Apache-2.0
#pragma once

// A runtime without threads: the thread that made it runs the loop of worker 0 whenever it waits
// for a task. Between two such calls the worker counts as asleep, so that everybody else finds the
// scheduler in a state they know: what they make ready waits for the next call.
//
// Thread: the one that made it, for everything: a ring belongs to one thread. Others may spawn and
// wake, as ever.

#include <thread>

#include "sched/scheduler.h"
#include "zokio/task/promise.h"

namespace zokio {

class CurrentThread : Pinned {
 public:
  // `scheduler` outlives this, and has no worker yet.
  explicit CurrentThread(sched::Scheduler& scheduler);

  // Opens the reactor.
  Result<void> start();
  // Runs the loop until `task` ended.
  void run_until(const task::Promise& task);
  // Cancels every task and runs the loop until they ended. False at the deadline.
  bool cancel_all(Instant deadline);
  // Closes the reactor and ends the worker. Requires: no task is left. Idempotent.
  void stop();

 private:
  // The thread is the worker from construction to destruction.
  class Turn;
  void check_thread() const;

  sched::Scheduler& scheduler_;
  const std::thread::id thread_;
  sched::Worker* worker_;  // null after stop()
  bool asleep_ = false;
};

}  // namespace zokio
