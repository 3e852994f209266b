// SPDX-License-Identifier: Apache-2.0
#pragma once

// An executor for models of what tasks do: ready tasks go through a Channel to whoever works.
// Its queue is not what is tested, so it costs one step on each side.

#include <array>
#include <atomic>

#include "model/explorer.h"
#include "zokio/spawn.h"
#include "zokio/task/fork.h"

namespace zokio::model {

class Workers final : public task::Executor {
 public:
  // `keeps_newest`: a worker runs the task that it made ready last before all others, and nobody
  // else gets it, as in Worker::push_local.
  // `steals`: each looks once at the others' branches of forks before it waits for a ready task.
  explicit Workers(bool keeps_newest = false, bool steals = false)
      : keeps_newest_(keeps_newest), steals_(steals), group_(task::acquire_group(this)) {}
  ~Workers() { task::release_group(group_); }

  // Threads of `run` that work. Requires: count <= 3.
  void start(Execution& run, unsigned count = 1) {
    constexpr const char* kNames[] = {"worker 1", "worker 2", "worker 3"};
    for (unsigned i = 0; i < count; ++i) run.thread(kNames[i], [this] { work(); });
  }

 private:
  // Runs tasks until all have ended.
  void work() {
    Atomic<task::Header*> newest{nullptr};
    task::Context& context = task::context();
    context.executor = this;
    context.worker = this_thread();
    context.lifo = keeps_newest_ ? &newest : nullptr;
    Forks host(forks_[this_thread() % kMost]);
    context.forks = &host.deque;
    context.fork_host = &host;
    while (task::Header* task = next(context)) {
      task::mark_running(task);
      context.current = task;
      context.budget = task::kPollBudget;
      context.switches = task::kInlineSwitches;
      context.newest_left = task::kInlineSwitches;
      task->resume_point.resume();
      context.current = nullptr;
      if (host.deque.used()) host.settle_forks();
    }
    context = {};
  }

 public:
  template <class F, class... A>
  auto spawn(F f, A... args) {
    return internal::spawn_on(*this, "", std::move(f), std::move(args)...);
  }

  void schedule(task::Header* task) noexcept override {
    task::mark_queued(task);
    if (Atomic<task::Header*>* newest = task::context().lifo)
      task = newest->exchange(task, std::memory_order_acq_rel);
    if (task != nullptr) ready_.send(task);
  }
  bool offload(task::OffloadJob*) noexcept override { return false; }
  void adopt(task::Header* task, const char*) noexcept override {
    task->slot = 0;
    task->group = group_;
    alive_.fetch_add(1, std::memory_order_relaxed);
  }
  void finished(task::Header*, task::Ending) noexcept override {
    if (alive_.fetch_sub(1, std::memory_order_relaxed) == 1) ready_.close();
  }
  uint64_t id_of(const task::Header*) const noexcept override { return 0; }

 private:
  static constexpr unsigned kMost = 8;  // threads

  // As Worker's, in worker_forks.cpp.
  struct Forks final : task::ForkHost {
    explicit Forks(task::ForkDeque& d) : deque(d) {}
    bool look_at_forks() noexcept override {
      if (deque.look_is_due()) deque.look_again_after(2);
      return false;
    }
    void share_forks() noexcept override {
      if (!deque.has_private()) return;
      deque.answer();
      deque.share();
    }
    void settle_forks() noexcept override {
      while (task::Promise* branch = deque.pop()) task::wake(task::make_branch_task(branch));
      deque.settle();
    }
    task::ForkDeque& deque;
  };

  task::Header* next(task::Context& context) {
    if (context.lifo != nullptr)
      if (task::Header* task = context.lifo->exchange(nullptr, std::memory_order_acquire))
        return task;
    if (steals_)
      for (task::ForkDeque& deque : forks_)
        if (&deque != context.forks && deque.has_shared())
          if (task::Promise* branch = deque.steal()) return task::make_branch_task(branch);
    return static_cast<task::Header*>(ready_.receive());
  }

  const bool keeps_newest_;
  const bool steals_;
  std::array<task::ForkDeque, kMost> forks_;
  const uint16_t group_;
  Channel ready_;
  std::atomic<unsigned> alive_{0};  // no step
};

}  // namespace zokio::model
