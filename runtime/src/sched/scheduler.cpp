// SPDX-License-Identifier: Apache-2.0
#include "sched/scheduler.h"

#include <algorithm>

#include "base/env.h"
#include "os/futex.h"
#include "zokio/base/assert.h"
#include "zokio/base/fence.h"
#include "zokio/task/cancel.h"

namespace zokio::sched {
namespace {

// A probe that is being set up.
task::Header* const kClaimed = reinterpret_cast<task::Header*>(uintptr_t{1});

void add_ends(SchedulerSnapshot& out, const task::Ledger& ledger) noexcept {
  const auto ended = [&ledger](task::Ending ending) {
    return ledger.finished[static_cast<std::size_t>(ending)].read();
  };
  out.tasks_finished_ok += ended(task::Ending::Ok);
  out.tasks_finished_error += ended(task::Ending::Failed);
  out.tasks_finished_cancelled += ended(task::Ending::Cancelled);
}

}  // namespace

Scheduler::Scheduler(SchedulerOptions options, io::Driver* driver)
    : options_(std::move(options)),
      driver_(driver),
      group_(task::acquire_group(this)),
      blocking_(options_.blocking_threads, options_.thread_name) {}

Scheduler::~Scheduler() {
  stop();
  task::release_group(group_);
}

// --- Executor -----------------------------------------------------------------------------------

void Scheduler::schedule(task::Header* task) noexcept {
  mark_queued(task);
  const task::Context& context = task::context();
  if (context.executor == this && context.self != nullptr) [[likely]]
    context.self->push_local(task);
  else
    push_outside(task);
}

void Scheduler::schedule_last(task::Header* task) noexcept {
  mark_queued(task);
  const task::Context& context = task::context();
  if (context.executor == this && context.self != nullptr) [[likely]]
    context.self->push_last(task);
  else
    push_outside(task);
}

// A worker that is awake finds it within a maintenance interval, so another one is woken only when
// none is, or the backlog is worth it. The watchdog looks after the case that the one that is awake
// stays in one poll.
void Scheduler::push_outside(task::Header* task) noexcept {
  if (unusual_.load(std::memory_order_relaxed) != 0) [[unlikely]]
    trace_outside(TraceKind::Wake, task);
  if (injector_.pushed_here() % kProbeEvery == 0) [[unlikely]]
    probe(task);
  injector_.push_and_fence(task);  // the task before the look at the idle set (idle.h)
  const unsigned sleeping = idle_.sleeping();
  if (idle_.searching() != 0) return;
  if (sleeping == 0) return tell_one_awake();
#ifndef ZOKIO_SIM
  const unsigned active = active_workers();
  const uint64_t awake = active > sleeping ? active - sleeping : 0;
  if (awake > 0 && injector_.size() * average_poll_ns_.load(std::memory_order_relaxed) <
                       awake * static_cast<uint64_t>(kWakeWorth.count())) {
    tell_one_awake();
    return;
  }
#endif
  wake_one();
}

// A worker that runs looks at the injector before its next task.
void Scheduler::tell_one_awake() noexcept {
  const unsigned active = active_workers();
  for (unsigned i = 0; i < active; ++i) {
    Worker* worker = slot(i);
    if (worker->state() == WorkerState::Running) return worker->tell();
  }
}

void Scheduler::adopt(task::Header* task, const char* name) noexcept {
  task->group = group_;
  task->slot = task::kUnlisted;
  const task::Context& context = task::context();
  if (context.executor == this)
    context.ledger->spawned.add();
  else
    spawned_outside_[thread_shard()].count.add_shared();
  if (*name != '\0' || unusual_.load(std::memory_order_relaxed) != 0) [[unlikely]]
    adopt_unusual(task, name);
}

// With a name, or while traced or closed: listed at once.
void Scheduler::adopt_unusual(task::Header* task, const char* name) noexcept {
  list(task, name);
  trace_here(TraceKind::Spawn, task, *name != '\0' ? name : nullptr);
}

void Scheduler::enlist(task::Header* task) noexcept {
  list(task, "");
}

void Scheduler::list(task::Header* task, const char* name) noexcept {
  const task::Context& context = task::context();
  registry_.insert(task, context.executor == this ? context.worker : task::kNoWorker, name);
  // One that slips through here is found by the next walk of cancel_all().
  if ((unusual_.load(std::memory_order_relaxed) & kClosed) != 0) task::cancel(task);
}

// On whichever thread this is.
void Scheduler::trace_here(TraceKind kind, const task::Header* task, const char* text) noexcept {
  const task::Context& context = task::context();
  if (context.executor == this && context.self != nullptr)
    context.self->trace(kind, task, 0, text);
  else
    trace_outside(kind, task, 0, text);
}

void Scheduler::trace_outside(TraceKind kind, const task::Header* task, uint64_t value,
                              const char* text) noexcept {
  if ((unusual_.load(std::memory_order_relaxed) & kTraced) == 0) return;
  TraceEvent event;
  event.kind = kind;
  event.at_ns = env::now_ns();
  if (!tracer_.wants(event.at_ns)) return;
  if (task != nullptr) event.task = id_of(task);
  event.value = value;
  event.text = text;
  tracer_.record_outside(event);
}

void Scheduler::start_trace(Duration length) noexcept {
  tracer_.start(env::now_ns(), length);
  unusual_.fetch_or(kTraced, std::memory_order_relaxed);
  // Those that are busy begin with their next maintenance at once, and not within 512 polls.
  for (unsigned i = 0; i < slots_in_use(); ++i) slot(i)->attend();
}

Trace Scheduler::stop_trace() {
  tracer_.stop();
  unusual_.fetch_and(static_cast<uint8_t>(~kTraced), std::memory_order_relaxed);
  return tracer_.copy();
}

void Scheduler::finished(task::Header* task, task::Ending ending) noexcept {
  const task::Context& context = task::context();
  const uint8_t unusual = unusual_.load(std::memory_order_relaxed);
  if ((unusual & kTraced) != 0) [[unlikely]]
    trace_here(TraceKind::End, task, nullptr);
  if (task->slot != task::kUnlisted) registry_.remove(task, context.worker);
  // On a worker of this scheduler, whose figures are ours to write, or in the blocking pool.
  const auto how = static_cast<std::size_t>(ending);
  if (context.executor == this && context.ledger != nullptr) [[likely]]
    context.ledger->finished[how].add();
  else
    elsewhere_.finished[how].add_shared();
  if ((unusual_.load(std::memory_order_relaxed) & kClosed) != 0) [[unlikely]] {
    ended_.fetch_add(1, std::memory_order_release);
    os::futex_wake(ended_, 1);
  }
}

void Scheduler::leave_group(task::Header* task) noexcept {
  ZOKIO_CHECK(task::context().executor == this, "a task moves between groups of its own runtime");
  if (Group* group = groups_.owner_of(task->group)) group->move_out(task);
}

void Scheduler::move_in(task::Header* task) noexcept {
  leave_group(task);
  std::atomic_ref(task->group).store(group_, std::memory_order_relaxed);
  schedule(task);
}

void Scheduler::probe(task::Header* task) noexcept {
  for (Probe& probe : probes_) {
    if (probe.task.load(std::memory_order_relaxed) != nullptr) continue;
    // Two who find the same one free: one measurement is lost or mixed up, no more than that; the
    // claim below makes it lost.
    task::Header* none = nullptr;
    if (!probe.task.compare_exchange_strong(none, kClaimed, std::memory_order_acquire)) continue;
    probe.since_ns = env::now_ns();
    task->status |= task::Header::kProbed;
    probe.task.store(task, std::memory_order_release);
    return;
  }
}

void Scheduler::probe_arrived(task::Header* task, stats::Histogram& delay) noexcept {
  task->status &= static_cast<uint8_t>(~task::Header::kProbed);
  for (Probe& probe : probes_) {
    if (probe.task.load(std::memory_order_acquire) != task) continue;
    const int64_t waited = env::now_ns() - probe.since_ns;
    probe.task.store(nullptr, std::memory_order_release);
    delay.record(waited > 0 ? static_cast<uint64_t>(waited) : 0);
    return;
  }
}

void Scheduler::wake_one() noexcept {
  // The generator is only for simulations, where the choice is the oracle's.
  Rng rng;
  const uint32_t worker = idle_.worker_to_wake(rng);
  if (worker != Idle::kNobody) slot(worker)->unpark();
}

bool Scheduler::has_work() const noexcept {
  if (!injector_.empty() || groups_.ready()) return true;
  for (unsigned i = 0; i < slots_in_use(); ++i) {
    Worker* worker = slot(i);
    // The newest task of a worker that is awake is as good as running.
    if (worker != nullptr && worker->has_surplus()) return true;
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
    if (index == 0) watchdog_.start();
  }
  // The rest follows by the wake rule.
  if (has_work()) wake_one();
  return {};
}

Worker& Scheduler::seat() {
  Worker& worker = slot_or_make(0);
  worker.seat();
  active_.store(1, std::memory_order_release);
  return worker;
}

void Scheduler::begin_shrink(unsigned count) noexcept {
  ZOKIO_CHECK(count >= 1, "the worker in slot 0 stays");
  const unsigned from = active_workers();
  if (count >= from) return;
  active_.store(count, std::memory_order_release);
  for (unsigned index = from; index-- > count;)
    if (!slot(index)->retire_asleep(slot(0))) slot(index)->ask_to_retire(slot(0));
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

unsigned Scheduler::kept_threads() const noexcept {
  unsigned kept = 0;
  for (unsigned i = 0; i < slots_in_use(); ++i) kept += slot(i)->keeps_thread();
  return kept;
}

Worker* Scheduler::longest_kept() const noexcept {
  Worker* found = nullptr;
  for (unsigned i = slots_in_use(); i-- > 0;)
    if (Worker* worker = slot(i); worker->keeps_thread())
      if (found == nullptr || worker->retired_at() < found->retired_at()) found = worker;
  return found;
}

Instant Scheduler::kept_thread_ends() const noexcept {
  if (kept_threads() > kThreadsKept) return {0};
  const Worker* worker = longest_kept();
  return worker != nullptr ? worker->retired_at() + kThreadKept : Instant::never();
}

void Scheduler::end_kept_thread() noexcept {
  if (Worker* worker = longest_kept()) worker->end_thread();
}

bool Scheduler::cancel_all(Instant deadline) noexcept {
  unusual_.fetch_or(kClosed, std::memory_order_seq_cst);
  while (true) {
    // Again and again, for the tasks that came while we walked.
    registry_.for_each([](task::Header* task) {
      task::cancel(task);
      return true;
    });
    const uint32_t seen = ended_.load(std::memory_order_acquire);
    const uint64_t finished = finished_tasks();
    if (finished == spawned_tasks()) return true;
    if (Instant::now() >= deadline) return false;
    os::futex_wait(ended_, seen,
                   std::min(deadline, Instant::now() + std::chrono::milliseconds(10)));
  }
}

uint64_t Scheduler::tasks_alive() const noexcept {
  const uint64_t finished = finished_tasks();
  return spawned_tasks() - finished;
}

uint64_t Scheduler::spawned_tasks() const noexcept {
  uint64_t sum = 0;
  for (unsigned i = 0; i < slots_in_use(); ++i) sum += slot(i)->stats().tasks.spawned.read();
  for (const SpawnedOutside& shard : spawned_outside_) sum += shard.count.read();
  return sum;
}

uint64_t Scheduler::finished_tasks() const noexcept {
  uint64_t sum = 0;
  for (const stats::Counter& ending : elsewhere_.finished) sum += ending.read();
  for (unsigned i = 0; i < slots_in_use(); ++i) {
    for (const stats::Counter& ending : slot(i)->stats().tasks.finished) sum += ending.read();
  }
  return sum;
}

void Scheduler::stop() noexcept {
  watchdog_.stop();
  blocking_.stop();
  active_.store(0, std::memory_order_release);
  for (const auto& worker : owned_)
    if (worker->state() != WorkerState::Empty) worker->ask_to_retire(nullptr);
  for (const auto& worker : owned_) {
    if (worker->state() == WorkerState::Empty) continue;
    ZOKIO_CHECK(worker->join_by(Instant::never()), "a worker ended");
  }
  while (kept_threads() > 0) end_kept_thread();
}

SchedulerSnapshot Scheduler::snapshot() const {
  SchedulerSnapshot out;
  out.workers_desired = active_workers();
  out.kept_threads = kept_threads();
  out.injector_depth = injector_.size();
  out.scheduled_remote = injector_.pushed();
  for (unsigned i = 0; i < slots_in_use(); ++i) {
    Worker& worker = *slot(i);
    out.workers.push_back(worker.snapshot());
    out.timers_pending += worker.timers().pending();
    const stats::WorkerShard& stats = worker.stats();
    stats::merge(out.delay_ns, stats.delay_ns.snapshot());
    stats::merge(out.poll_ns, stats.poll_ns.snapshot());
    add_ends(out, stats.tasks);
  }
  add_ends(out, elsewhere_);
  // Ends before beginnings, so that the difference is never negative.
  out.tasks_spawned = spawned_tasks();
  out.tasks_alive = out.tasks_spawned - out.tasks_finished_ok - out.tasks_finished_error -
                    out.tasks_finished_cancelled;
  out.stalls = watchdog_.stalls().stalls();
  out.stall_longest_ns = watchdog_.stalls().longest_ns();
  blocking_.snapshot(out);
  out.groups = groups_.stats();
  return out;
}

}  // namespace zokio::sched
