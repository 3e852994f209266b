// SPDX-License-Identifier: Apache-2.0
#include "sched/scheduler.h"

#include "os/futex.h"
#include "zokio/base/assert.h"

namespace zokio::sched {

Scheduler::Scheduler(SchedulerOptions options, io::Driver* driver)
    : options_(std::move(options)),
      driver_(driver),
      blocking_(options_.blocking_threads, options_.thread_name) {}

Scheduler::~Scheduler() {
  stop();
}

// --- Executor -----------------------------------------------------------------------------------

void Scheduler::schedule(task::Header* task) noexcept {
  task->ready_ns = env::now_ns();
  const task::Context& context = task::context();
  if (context.executor == this && context.worker != task::kNoWorker) {
    slot(context.worker)->push_local(task);
  } else {
    scheduled_remote_.add_shared();
    injector_.push(task);
  }
  wake_one();
}

void Scheduler::schedule_last(task::Header* task) noexcept {
  // The queues are first in, first out, so the end of the own one is behind what is ready here.
  schedule(task);
}

void Scheduler::adopt(task::Header* task) noexcept {
  if (!live_.insert(task)) task->cancel.cancel();
}

void Scheduler::finished(task::Header* task, task::Ending ending) noexcept {
  // Tasks end on a worker of this scheduler, so the context's figures are ours to write.
  stats::WorkerShard& stats = *task::context().stats;
  switch (ending) {
    case task::Ending::Ok:
      stats.finished_ok.add();
      break;
    case task::Ending::Failed:
      stats.finished_error.add();
      break;
    case task::Ending::Cancelled:
      stats.finished_cancelled.add();
      break;
  }
  if (live_.remove(task)) {
    all_ended_.fetch_add(1, std::memory_order_release);
    os::futex_wake(all_ended_, 1);
  }
}

void Scheduler::wake_one() noexcept {
  // The generator is only for simulations, where the choice is the oracle's.
  Rng rng;
  const uint32_t worker = idle_.worker_to_wake(rng);
  if (worker != Idle::kNobody) slot(worker)->unpark();
}

bool Scheduler::has_work() const noexcept {
  if (!injector_.empty()) return true;
  for (unsigned i = 0; i < slots_in_use(); ++i) {
    Worker* worker = slot(i);
    if (worker != nullptr && !worker->queue().empty()) return true;
  }
  return false;
}

// --- Control strand -----------------------------------------------------------------------------

Worker& Scheduler::slot_or_make(unsigned index) {
  if (Worker* worker = slot(index)) return *worker;
  ZOKIO_CHECK(index == slots_in_use(), "slots are used in order");
  owned_.push_back(std::make_unique<Worker>(*this, index, options_.seed));
  Worker& worker = *owned_.back();
  slots_[index].store(&worker, std::memory_order_release);
  slots_in_use_.store(index + 1, std::memory_order_release);
  return worker;
}

Result<void> Scheduler::grow(unsigned count) {
  ZOKIO_CHECK(count <= kWorkerSlots, "checked by the caller");
  for (unsigned index = active_workers(); index < count; ++index) {
    Worker& worker = slot_or_make(index);
    // A worker that an earlier shrink left inside one task must be through first.
    if (worker.state() == WorkerState::Retiring &&
        !worker.join_by(Instant::now() + kRetireDeadline))
      return fail(Errc::DeadlineExceeded, "grow workers", Detail::Stalled);
    ZOKIO_CHECKED(worker.start());
    active_.store(index + 1, std::memory_order_release);
  }
  for (uint64_t waiting = injector_.size(); waiting > 0 && idle_.sleeping() > 0; --waiting) {
    wake_one();
    if (idle_.searching() > 0) break;  // the rest follows by the wake rule
  }
  return {};
}

void Scheduler::begin_shrink(unsigned count) noexcept {
  ZOKIO_CHECK(count >= 1, "the worker in slot 0 stays");
  const unsigned from = active_workers();
  if (count >= from) return;
  active_.store(count, std::memory_order_release);
  for (unsigned index = from; index-- > count;) slot(index)->ask_to_retire(slot(0));
}

Scheduler::Shrunk Scheduler::shrink(unsigned count, Instant deadline) {
  Shrunk shrunk;
  const unsigned from = active_workers();
  begin_shrink(count);
  for (unsigned index = from; index-- > count;) {
    Worker& worker = *slot(index);
    if (!worker.join_by(deadline)) {
      shrunk.stalled = true;
      continue;
    }
    shrunk.moved_tasks += worker.moved_tasks();
    shrunk.moved_timers += worker.moved_timers();
  }
  return shrunk;
}

bool Scheduler::cancel_all(Instant deadline) noexcept {
  live_.close_and_cancel();
  while (live_.alive() != 0) {
    if (Instant::now() >= deadline) return false;
    const uint32_t seen = all_ended_.load(std::memory_order_acquire);
    if (live_.alive() == 0) break;
    os::futex_wait(all_ended_, seen, deadline);
  }
  return true;
}

void Scheduler::stop() noexcept {
  blocking_.stop();
  active_.store(0, std::memory_order_release);
  for (const auto& worker : owned_)
    if (worker->state() != WorkerState::Empty) worker->ask_to_retire(nullptr);
  for (const auto& worker : owned_) {
    if (worker->state() == WorkerState::Empty) continue;
    ZOKIO_CHECK(worker->join_by(Instant::never()), "a worker ended");
  }
}

SchedulerSnapshot Scheduler::snapshot() const {
  SchedulerSnapshot out;
  out.workers_desired = active_workers();
  out.injector_depth = injector_.size();
  out.scheduled_remote = scheduled_remote_.read();
  for (unsigned i = 0; i < slots_in_use(); ++i) {
    Worker& worker = *slot(i);
    out.workers.push_back(worker.snapshot());
    out.timers_pending += worker.timers().pending();
    const stats::WorkerShard& stats = worker.stats();
    out.tasks_finished_ok += stats.finished_ok.read();
    out.tasks_finished_error += stats.finished_error.read();
    out.tasks_finished_cancelled += stats.finished_cancelled.read();
    stats::merge(out.delay_ns, stats.delay_ns.snapshot());
    stats::merge(out.poll_ns, stats.poll_ns.snapshot());
  }
  out.tasks_spawned = live_.ever();
  out.tasks_alive = live_.alive();
  blocking_.snapshot(out);
  return out;
}

}  // namespace zokio::sched
