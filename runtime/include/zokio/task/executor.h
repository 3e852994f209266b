// SPDX-License-Identifier: Apache-2.0
#pragma once

// How a task reaches a scheduler without knowing it. Implemented by src/sched and by test fakes.

namespace zokio::task {

struct Header;

// Work for a thread that may block. Intrusive: the submitter keeps it alive until run() was called.
struct OffloadJob {
  OffloadJob* next = nullptr;
  void (*run)(OffloadJob*) noexcept = nullptr;  // called once, on a blocking thread
};

class Executor {
 public:
  // Makes a suspended task ready: its resume_point is resumed once, later, on some worker.
  // The caller must have been the one that ended the suspension (each suspension ends once).
  // Thread: any. After the call the task may already be gone.
  virtual void schedule(Header* task) noexcept = 0;

  // Runs `job` on the blocking pool. Thread: any. False when the pool is stopping: not run.
  virtual bool offload(OffloadJob* job) noexcept = 0;

 protected:
  ~Executor() = default;
};

}  // namespace zokio::task
