// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "io/reactor.h"
#include "sched/dump.h"
#include "zokio/base/assert.h"
#include "zokio/task/context.h"

namespace zokio::sim {

using sched::Worker;

World::World(WorldOptions options) : options_(options), rng_(options.seed * 2 + 1) {
  env::set_oracle(this);
  sched::SchedulerOptions scheduler_options;
  scheduler_options.seed = options.seed;
  if (options_.kernel != nullptr) open_kernel();
  scheduler_ = std::make_unique<sched::Scheduler>(scheduler_options, driver_.get());
  // The first workers always start.
  const uint32_t faults = std::exchange(options_.thread_fault_one_in, 0u);
  ZOKIO_CHECK(scheduler_->grow(options_.workers).has_value(), "no faults, no failure");
  options_.thread_fault_one_in = faults;
  seat_new_workers();
  for (unsigned slot = 0; driver_ && slot < std::min(options_.reactors, options_.workers); ++slot)
    scheduler_->slot(slot)->order_reactor(Worker::ReactorOrder::Open);
}

World::~World() {
  close_reactors();
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
  driver_.reset();
  env::set_oracle(nullptr);
}

void World::open_kernel() {
  Kernel& kernel = *options_.kernel;
  kernel.now = [this] { return now_ns_; };
  kernel.note = [this](uint64_t event) { note(event); };
  kernel.sleep = [this](const Kernel::Ready& ready, int64_t deadline) {
    return sleep_inside(ready, deadline);
  };
  auto driver = io::Driver::create({.backend = options_.backend});
  ZOKIO_CHECK(driver.has_value(), "a driver");
  driver_ = *std::move(driver);
}

void World::close_reactors() {
  if (!driver_) return;
  for (unsigned slot = 0; slot < seats_.size(); ++slot)
    if (seats_[slot].seated) scheduler_->slot(slot)->order_reactor(Worker::ReactorOrder::Retire);
  const auto open = [this](unsigned slot) {
    return driver_->reactor(slot).state() != ReactorState::Empty;
  };
  for (int i = 0; std::ranges::any_of(std::views::iota(0u, io::kReactorSlots), open); ++i) {
    ZOKIO_CHECK(i < 100'000, "a reactor is not let go");
    tick();
    if (!go_on() && !jump_to_next_timer()) now_ns_ += 1000;
  }
}

// The kernel's work between two steps.
void World::tick() {
  if (options_.kernel == nullptr) return;
  options_.kernel->tick();
  if (std::exchange(changes_seen_, options_.kernel->changes()) != options_.kernel->changes())
    look_again();
}

// Whoever lies down looks into his reactor once more before time goes on.
void World::look_again() {
  for (Seat& seat : seats_) seat.stale = true;
}

// A call on the blocking pool: it ends a while later, and not on a worker.
bool World::later(void (*call)(void*), void* argument) noexcept {
  if (options_.kernel == nullptr || rng_.below(4) == 0) return false;
  options_.kernel->after(1 + options_.kernel->delay(), [call, argument] {
    const task::Context saved = std::exchange(task::context(), {});
    call(argument);
    task::context() = saved;
  });
  return true;
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
  if (!seats_[slot].seated || seats_[slot].inside) return false;
  if (!seats_[slot].asleep) return true;
  if (driver_ && scheduler_->slot(slot)->has_reactor() && driver_->reactor(slot).rung())
    return true;
  return scheduler_->slot(slot)->parker().notified() || seats_[slot].deadline.ns <= now_ns_;
}

// Parker::park without the sleep. False: something came, so there is none.
bool World::lie_down(unsigned slot) {
  if (!scheduler_->slot(slot)->parker().lie_down()) return false;
  if (io::Reactor* reactor = task::context().reactor) {
    const Kernel& kernel = *options_.kernel;
    // What the kernel did not take at once is handed over again, as by a worker that comes back
    // from its sleep for that. Bounded: one that has nothing in flight leaves its bell for later.
    for (int i = 0; i < 16; ++i) {
      const uint64_t changes = kernel.changes();
      // With nothing in flight it does not even look.
      const bool news = reactor->in_flight() > 0 && !kernel.quiet(slot);
      if (reactor->turn(Instant{0}) > 0 || news || kernel.changes() != changes) return false;
      // A turn does not sleep then.
      if (reactor->drained() || (reactor->retiring() && reactor->in_flight() == 0)) return false;
      if (kernel.has_all(slot)) break;
    }
  }
  seats_[slot].asleep = true;
  seats_[slot].stale = false;
  return true;
}

void World::step(unsigned slot) {
  Worker& worker = *scheduler_->slot(slot);
  worker.enter();
  if (seats_[slot].asleep) {
    if (io::Reactor* reactor = task::context().reactor) reactor->turn(Instant{0});
    worker.parker().get_up();
    worker.awake();
    seats_[slot].asleep = false;
  }
  // Between the last look and the sleep others may act: that gap is where wake-ups get lost.
  if (std::exchange(seats_[slot].drowsy, false)) {
    worker.fall_asleep();
    seats_[slot].deadline = worker.sleep_until();
    if (driver_ && inside_ == 0 && running_ && rng_.below(2) == 0) {
      seats_[slot].parked = true;
      worker.parker().park(seats_[slot].deadline);
      seats_[slot].parked = false;
      worker.awake();
      worker.leave();
      return;
    }
    if (lie_down(slot)) {
      worker.leave();
      return;
    }
    worker.parker().get_up();
    worker.awake();
  }
  const Worker::Step result = worker.step();
  note((uint64_t{slot} << 8) | static_cast<uint64_t>(result));
  switch (result) {
    case Worker::Step::Ran:
      now_ns_ += 100 + static_cast<int64_t>(rng_.below(1000));
      look_again();
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

// Inside a call of the worker that is on: the others go on, until it is over.
bool World::sleep_inside(const Kernel::Ready& ready, int64_t deadline) {
  if (now_ns_ >= deadline) return ready();
  const unsigned slot = task::context().worker;
  Worker& worker = *scheduler_->slot(slot);
  worker.leave();
  seats_[slot].inside = true;
  const Instant before = std::exchange(seats_[slot].deadline, Instant{deadline});
  ++inside_;
  bool woken = false;
  while (violation_.empty()) {
    tick();
    woken = ready();
    if (woken || now_ns_ >= deadline) break;
    if (running_ && scheduler_->tasks_alive() == 0) break;
    if (running_ && ++steps_ > options_.steps_max) violation_ = "no end";
    if (violation_.empty()) violation_ = check();
    if (go_on() || jump_to_next_timer()) continue;
    if (running_) violation_ = "tasks are left, and nothing can happen any more";
    break;
  }
  --inside_;
  seats_[slot].inside = false;
  seats_[slot].deadline = before;
  worker.enter();
  return woken;
}

// One step of somebody. False: nobody can take one.
bool World::go_on() {
  if (running_ && options_.before_step) options_.before_step(steps_);
  std::vector<unsigned> able;
  for (unsigned slot = 0; slot < seats_.size(); ++slot)
    if (can_step(slot)) able.push_back(slot);
  for (unsigned slot = 0; able.empty() && slot < seats_.size(); ++slot)
    if (seats_[slot].seated && !seats_[slot].inside && seats_[slot].stale &&
        scheduler_->slot(slot)->has_reactor())
      able.push_back(slot);
  if (able.empty()) return false;
  step(able[choose(env::Choice::NextWorker, static_cast<uint32_t>(able.size()))]);
  return true;
}

bool World::jump_to_next_timer() {
  Instant next = Instant::never();
  if (options_.kernel != nullptr) next = {options_.kernel->next_event()};
  for (unsigned slot = 0; slot < seats_.size(); ++slot)
    if (seats_[slot].seated && (seats_[slot].asleep || seats_[slot].inside))
      next = std::min(next, seats_[slot].deadline);
  if (next.is_never()) {
    // Operations may wait for a reactor to come.
    if (!running_ || options_.reactor_one_in == 0 || driver_->active() != 0) return false;
    if (scheduler_->slot(0)->has_reactor()) return false;
    scheduler_->slot(0)->order_reactor(Worker::ReactorOrder::Open);
    return true;
  }
  now_ns_ = std::max(now_ns_, next.ns);
  note(static_cast<uint64_t>(now_ns_));
  return true;
}

void World::maybe_change_reactors() {
  if (options_.reactor_one_in == 0 || rng_.below(options_.reactor_one_in) != 0) return;
  const unsigned slot = rng_.below(scheduler_->active_workers());
  Worker& worker = *scheduler_->slot(slot);
  // One order at a time.
  if (driver_->reactor(slot).retiring()) return;
  worker.order_reactor(worker.has_reactor() ? Worker::ReactorOrder::Retire
                                            : Worker::ReactorOrder::Open);
  ++reactor_changes_;
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

// The call that it sleeps in is about to end.
bool World::will_wake(unsigned slot) {
  if (!seats_[slot].seated || !seats_[slot].inside) return false;
  if (!seats_[slot].parked) return true;  // awake: it takes something down, and goes on then
  return scheduler_->slot(slot)->parker().notified() || !options_.kernel->quiet(slot);
}

// Requires: between steps.
std::string World::check() {
  if (!scheduler_->has_work()) return {};
  for (unsigned slot = 0; slot < seats_.size(); ++slot)
    if (can_step(slot) || will_wake(slot)) return {};
  return "work is ready, everybody sleeps, and no wake-up is on its way";
}

std::string World::reactor_text(unsigned slot) {
  if (!driver_ || !scheduler_->slot(slot)->has_reactor()) return {};
  const io::Reactor& reactor = driver_->reactor(slot);
  return ", reactor" + std::string(reactor.retiring() ? " retiring" : "") + " with " +
         std::to_string(reactor.in_flight()) + (reactor.rung() ? ", rung" : "");
}

std::string World::describe() {
  std::string out = sched::Dumper(*scheduler_, {}).run().to_text();
  for (unsigned slot = 0; slot < seats_.size(); ++slot)
    out += "worker " + std::to_string(slot) + (seats_[slot].asleep ? " asleep" : "") +
           (seats_[slot].inside ? " inside" : "") + (seats_[slot].stale ? " stale" : "") +
           (seats_[slot].parked ? " parked" : "") + reactor_text(slot) + "\n";
  if (options_.kernel != nullptr) out += options_.kernel->describe();
  return out;
}

std::string World::run() {
  running_ = true;
  while (scheduler_->tasks_alive() != 0 && violation_.empty()) {
    if (++steps_ > options_.steps_max) return "no end after " + std::to_string(steps_) + " steps";
    tick();
    maybe_resize();
    maybe_change_reactors();
    if (std::string violation = check(); !violation.empty()) return violation;
    if (!go_on() && !jump_to_next_timer() && violation_.empty())
      return "tasks are left, and nothing can happen any more";
  }
  running_ = false;
  if (!violation_.empty()) return violation_;
  if (options_.kernel != nullptr && !options_.kernel->violation().empty())
    return options_.kernel->violation();
  const SchedulerSnapshot end = scheduler_->snapshot();
  if (end.tasks_spawned !=
      end.tasks_finished_ok + end.tasks_finished_error + end.tasks_finished_cancelled)
    return "tasks spawned and tasks ended differ";
  if (end.timers_pending != 0) return "timers are left";
  return {};
}

}  // namespace zokio::sim
