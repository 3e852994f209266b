// SPDX-License-Identifier: Apache-2.0
#pragma once

// The processes that jobs started and wait for, by number: whoever reaps orphans leaves them alone.
// One table, because the process table is one.
// Thread: any. A start keeps the reaping out until its number is known.

#include <sys/types.h>

#include <functional>
#include <mutex>
#include <set>

namespace zokiod::kinds {

class ChildTable {
 public:
  static ChildTable& of_process();

  // `start` returns what has a pid(), in a Result.
  template <class Start>
  auto start(Start start) {
    std::lock_guard lock(mutex_);
    auto started = start();
    if (started.has_value()) pids_.insert(started->pid());
    return started;
  }
  // After it was reaped.
  void forget(pid_t pid) {
    std::lock_guard lock(mutex_);
    pids_.erase(pid);
  }
  // Runs `reap` with the question "is it one of ours", while nothing is started.
  void reap(const std::function<void(const std::function<bool(pid_t)>&)>& reap) {
    std::lock_guard lock(mutex_);
    reap([this](pid_t pid) { return pids_.contains(pid); });
  }

 private:
  std::mutex mutex_;
  std::set<pid_t> pids_;  // guarded by mutex_
};

}  // namespace zokiod::kinds
