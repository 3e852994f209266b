// SPDX-License-Identifier: Apache-2.0
#pragma once

// The task dump: every live task, what it waits for and through which coroutines.
//
// Nothing is recorded for it while tasks run. A task is pinned in the registry, so that it cannot
// be freed; if it waits, the dump takes the word Header::wait as a canceller does, so that the task
// cannot get past the wait; its suspended coroutines then stand still and are walked from the
// innermost to the task's own, each by Promise::link. Only addresses are copied meanwhile; names
// are looked up at the end.
//
// A coroutine that awaits something of ours may be of another library, with another promise. Its
// frame must not be read as one of ours: a chain through functions that were not seen before is
// first read by way of the kernel, which refuses bad addresses, and believed when it ends at the
// frame of the very task. A function has one kind of promise, so what was believed once holds for
// all of its frames.
//
// Thread: any.

#include <array>
#include <deque>
#include <unordered_set>
#include <vector>

#include "zokio/stats/task_dump.h"
#include "zokio/task/header.h"

namespace zokio::sched {

class Scheduler;

class Dumper {
 public:
  Dumper(Scheduler& scheduler, const DumpOptions& options)
      : scheduler_(scheduler), options_(options) {}
  TaskDump run();

 private:
  // The functions of a chain, innermost first.
  struct Chain {
    std::array<const void*, kDumpDepth> code;
    unsigned depth = 0;
    bool complete = false;
  };
  struct Raw {
    uint64_t id;
    const char* name;
    const char* waits_for;  // null: it does not wait
    uint32_t worker;        // kNoWorker: on none
    unsigned depth;         // in codes_
    bool complete;
  };

  void look(task::Header* task);
  const char* look_at_wait(task::Header* task, Chain& chain);
  void walk(task::Header* task, Chain& chain);
  bool prove(const char* frame, const char* root);
  uint32_t worker_of(const task::Header* task) const noexcept;
  TaskDump name_all() const;

  Scheduler& scheduler_;
  const DumpOptions options_;
  // Deques, because they grow while a task is held and must not move what they have.
  std::deque<Raw> tasks_;
  std::deque<const void*> codes_;
  std::unordered_set<const void*> ours_;  // functions whose frames have a Promise
  bool truncated_ = false;
  Duration longest_hold_{};
};

}  // namespace zokio::sched
