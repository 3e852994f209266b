// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include "zokio/base/assert.h"

namespace zokio::sim {

using sched::Worker;

World::World(WorldOptions options) : options_(options), rng_(options.seed * 2 + 1) {
  env::set_oracle(this);
  sched::SchedulerOptions scheduler_options;
  scheduler_options.seed = options.seed;
  scheduler_ = std::make_unique<sched::Scheduler>(scheduler_options, nullptr);
  // The first workers always start.
  const uint32_t faults = std::exchange(options_.thread_fault_one_in, 0u);
  ZOKIO_CHECK(scheduler_->grow(options_.workers).has_value(), "no faults, no failure");
  options_.thread_fault_one_in = faults;
  seat_new_workers();
}

World::~World() {
  for (unsigned slot = 0; slot < seats_.size(); ++slot) {
    if (!seats_[slot].seated) continue;
    Worker& worker = *scheduler_->slot(slot);
    worker.enter();
    if (seats_[slot].asleep) worker.awake();
    worker.end();
    worker.join_by(Instant::never());
    seats_[slot].seated = false;
  }
  while (scheduler_->kept_threads() > 0) end_kept_thread();
  scheduler_.reset();
  env::set_oracle(nullptr);
}

uint32_t World::choose(env::Choice what, uint32_t n) noexcept {
  const uint32_t choice = rng_.below(n);
  note((static_cast<uint64_t>(what) << 32) | choice);
  return choice;
}

bool World::fault(env::Fault) noexcept {
  return options_.thread_fault_one_in != 0 && rng_.below(options_.thread_fault_one_in) == 0;
}

void World::note(uint64_t event) noexcept {
  hash_ = (hash_ ^ event) * 0x100000001b3;
}

// They sleep until they are woken, as threads that a worker kept do.
void World::seat_new_workers() {
  seats_.resize(scheduler_->slots_in_use());
  for (unsigned slot = 0; slot < scheduler_->active_workers(); ++slot) {
    if (seats_[slot].seated) continue;
    seats_[slot] = {.asleep = true, .seated = true};
    static_cast<void>(scheduler_->slot(slot)->parker().lie_down());
  }
}

// Its thread is this one, which does what Worker::run_thread does at its end.
void World::end_kept_thread() {
  scheduler_->end_kept_thread();
  for (unsigned slot = 0; slot < seats_.size(); ++slot)
    if (!seats_[slot].seated && !scheduler_->slot(slot)->keeps_thread())
      scheduler_->slot(slot)->quit();
}

bool World::can_step(unsigned slot) {
  if (!seats_[slot].seated) return false;
  if (!seats_[slot].asleep) return true;
  return scheduler_->slot(slot)->parker().notified() || seats_[slot].deadline.ns <= now_ns_;
}

void World::step(unsigned slot) {
  Worker& worker = *scheduler_->slot(slot);
  worker.enter();
  if (seats_[slot].asleep) {
    worker.parker().get_up();
    worker.awake();
    seats_[slot].asleep = false;
  }
  // Between the last look and the sleep others may act: that gap is where wake-ups get lost.
  if (std::exchange(seats_[slot].drowsy, false)) {
    worker.fall_asleep();
    seats_[slot].asleep = true;
    seats_[slot].deadline = worker.sleep_until();
    static_cast<void>(worker.parker().lie_down());
    worker.leave();
    return;
  }
  const Worker::Step result = worker.step();
  note((uint64_t{slot} << 8) | static_cast<uint64_t>(result));
  switch (result) {
    case Worker::Step::Ran:
      now_ns_ += 100 + static_cast<int64_t>(rng_.below(1000));
      break;
    case Worker::Step::Idle:
      seats_[slot].drowsy = true;
      break;
    case Worker::Step::Retire:
      worker.end();
      worker.join_by({now_ns_});
      seats_[slot].seated = false;
      return;
  }
  worker.leave();
}

bool World::jump_to_next_timer() {
  Instant next = Instant::never();
  for (unsigned slot = 0; slot < seats_.size(); ++slot)
    if (seats_[slot].seated) next = std::min(next, seats_[slot].deadline);
  if (next.is_never()) return false;
  now_ns_ = std::max(now_ns_, next.ns);
  note(static_cast<uint64_t>(now_ns_));
  return true;
}

void World::maybe_resize() {
  if (options_.resize_one_in == 0 || rng_.below(options_.resize_one_in) != 0) return;
  // One at a time, as on the control strand: a retiring worker is awaited first.
  for (unsigned slot = scheduler_->active_workers(); slot < seats_.size(); ++slot)
    if (seats_[slot].seated) return;
  const unsigned target = 1 + rng_.below(options_.workers_max);
  note(0x5e512e00u + target);
  ++resizes_;
  if (rng_.below(4) == 0 && scheduler_->kept_threads() > 0) end_kept_thread();
  if (target > scheduler_->active_workers()) {
    // A thread that could not be had is a smaller set, not an accident.
    static_cast<void>(scheduler_->grow(target).has_value());
    seat_new_workers();
  } else {
    scheduler_->begin_shrink(target);
    // Those that slept are gone already.
    for (unsigned slot = target; slot < seats_.size(); ++slot) {
      if (!seats_[slot].seated || !scheduler_->slot(slot)->join_by({now_ns_})) continue;
      seats_[slot].seated = false;
      ++retired_asleep_;
    }
  }
}

// Requires: between steps.
std::string World::check() {
  if (!scheduler_->has_work()) return {};
  for (unsigned slot = 0; slot < seats_.size(); ++slot)
    if (can_step(slot)) return {};
  return "work is ready, everybody sleeps, and no wake-up is on its way";
}

std::string World::run() {
  while (scheduler_->snapshot().tasks_alive != 0) {
    if (++steps_ > options_.steps_max) return "no end after " + std::to_string(steps_) + " steps";
    maybe_resize();
    if (std::string violation = check(); !violation.empty()) return violation;
    std::vector<unsigned> able;
    for (unsigned slot = 0; slot < seats_.size(); ++slot)
      if (can_step(slot)) able.push_back(slot);
    if (able.empty()) {
      if (!jump_to_next_timer()) return "tasks are left, and nothing can happen any more";
      continue;
    }
    step(able[choose(env::Choice::NextWorker, static_cast<uint32_t>(able.size()))]);
  }
  const SchedulerSnapshot end = scheduler_->snapshot();
  if (end.tasks_spawned !=
      end.tasks_finished_ok + end.tasks_finished_error + end.tasks_finished_cancelled)
    return "tasks spawned and tasks ended differ";
  if (end.timers_pending != 0) return "timers are left";
  return {};
}

}  // namespace zokio::sim
