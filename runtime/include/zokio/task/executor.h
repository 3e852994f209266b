// SPDX-License-Identifier: Apache-2.0
#pragma once

// How a task reaches a scheduler without knowing it. Implemented by src/sched and by test fakes.

#include <cstdint>

namespace zokio::task {

struct Header;

// Work for a thread that may block. Intrusive: the submitter keeps it alive until run() was called.
struct OffloadJob {
  OffloadJob* next = nullptr;
  void (*run)(OffloadJob*) noexcept = nullptr;  // called once, on a blocking thread
};

// How a task ended, for the counters.
enum class Ending : uint8_t { Ok, Failed, Cancelled };

class Executor {
 public:
  // Makes a suspended task ready: its resume_point is resumed once, later, on some worker.
  // The caller must have been the one that ended the suspension (each suspension ends once).
  // Thread: any. After the call the task may already be gone.
  virtual void schedule(Header* task) noexcept = 0;

  // schedule(), but behind what is ready already: a task that yields lets the others run.
  virtual void schedule_last(Header* task) noexcept { schedule(task); }

  // Runs `job` on the blocking pool. Thread: any. False when the pool is stopping: not run.
  virtual bool offload(OffloadJob* job) noexcept = 0;

  // Takes a new task in, before its first schedule(): sets its slot and group, and counts it.
  // `name`: static string, "" for none. Thread: any.
  virtual void adopt(Header* task, const char* name) noexcept = 0;

  // Gives a task that adopt() left unlisted its place in the list of live tasks. Thread: the one
  // that runs it.
  virtual void enlist(Header*) noexcept {}

  // The task ran to its end; it leaves the list. Thread: the one that ran it.
  virtual void finished(Header* task, Ending ending) noexcept = 0;

  // A number for dumps and logs; unique among the live tasks, and for long after. 0: unlisted.
  virtual uint64_t id_of(const Header* task) const noexcept = 0;

 protected:
  ~Executor() = default;
};

}  // namespace zokio::task
