// SPDX-License-Identifier: Apache-2.0
//
// THE LOOP. A pass of a worker, in this order:
//   1. retiring?                      before every pop, so that a backlog cannot hide it
//   2. reactor orders, timers due     cheap looks; the timers' deadline is one load
//   3. every 61st pass                the reactor, and the injector before the own queue
//   4. own queue, injector, thieving  the first task found is run
//   5. nothing                        sleep: in the reactor if there is one
// What a task may rely on: it runs on one worker at a time, and is resumed once per suspension.

#include "sched/worker.h"

#include <pthread.h>

#include <system_error>

#include "io/driver.h"
#include "io/reactor.h"
#include "os/futex.h"
#include "sched/scheduler.h"
#include "zokio/base/assert.h"
#include "zokio/mem/thread_cache.h"

namespace zokio::sched {

Worker::Worker(Scheduler& scheduler, uint32_t slot, uint64_t seed)
    : scheduler_(scheduler), slot_(slot), rng_(seed * 0x9e3779b97f4a7c15 + slot + 1) {}

// --- Control side -------------------------------------------------------------------------------

Result<void> Worker::start() {
  ZOKIO_CHECK(state() == WorkerState::Empty, "the slot is in use");
  if (env::fault(env::Fault::ThreadStart))
    return fail(Errc::ResourceExhausted, "start worker", Detail::Limit);
  ended_.store(0, std::memory_order_relaxed);
  state_.store(WorkerState::Running, std::memory_order_release);
#ifndef ZOKIO_SIM
  try {
    thread_ = std::thread([this] { run_thread(); });
  } catch (const std::system_error& error) {
    state_.store(WorkerState::Empty, std::memory_order_release);
    ended_.store(1, std::memory_order_relaxed);
    return fail_errno(error.code().value(), "start worker");
  }
#endif
  return {};
}

void Worker::ask_to_retire(Worker* heir) noexcept {
  heir_ = heir;
  state_.store(WorkerState::Retiring, std::memory_order_release);
  unpark();
}

bool Worker::join_by(Instant deadline) noexcept {
  while (ended_.load(std::memory_order_acquire) == 0) {
    if (Instant::now() >= deadline) return false;
    os::futex_wait(ended_, 0, deadline);
  }
  if (thread_.joinable()) thread_.join();
  state_.store(WorkerState::Empty, std::memory_order_release);
  return true;
}

void Worker::order_reactor(ReactorOrder order) noexcept {
  orders_done_.store(0, std::memory_order_relaxed);
  reactor_order_.store(order, std::memory_order_release);
  unpark();
}

Result<void> Worker::reactor_order_by(Instant deadline) noexcept {
  while (orders_done_.load(std::memory_order_acquire) == 0) {
    if (Instant::now() >= deadline) return fail(Errc::DeadlineExceeded, "reactor", Detail::Stalled);
    os::futex_wait(orders_done_, 0, deadline);
  }
  if (reactor_failed_) return fail(reactor_error_);
  return {};
}

// --- The loop -----------------------------------------------------------------------------------

void Worker::enter() noexcept {
  task::Context& context = task::context();
  context = {};
  context.executor = &scheduler_;
  context.driver = scheduler_.driver();
  context.timers = &timers_;
  context.stats = &stats_;
  context.worker = slot_;
  if (cache_ == nullptr) cache_ = mem::acquire_thread_cache();
  mem::set_current_cache(cache_);
  context.cache = cache_;
  if (has_reactor_.load(std::memory_order_relaxed))
    context.reactor = &scheduler_.driver()->reactor(slot_);
}

void Worker::leave() noexcept {
  mem::set_current_cache(nullptr);
  task::context() = {};
}

void Worker::run_thread() noexcept {
  const std::string name = scheduler_.thread_name() + "-" + std::to_string(slot_);
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  enter();
  int64_t busy_since = env::now_ns();
  while (true) {
    const Step step = this->step();
    if (step == Step::Ran) continue;
    if (step == Step::Retire) break;
    fall_asleep();
    const int64_t asleep = env::now_ns();
    stats_.busy_ns.add(static_cast<uint64_t>(asleep - busy_since));
    parker_.park(sleep_until());
    busy_since = env::now_ns();
    awake();
  }
  stats_.busy_ns.add(static_cast<uint64_t>(env::now_ns() - busy_since));
  end();
}

void Worker::end() noexcept {
  hand_over();
  leave();
  ended_.store(1, std::memory_order_release);
  os::futex_wake(ended_, 1);
}

Worker::Step Worker::step() noexcept {
  if (!std::exchange(now_is_fresh_, false)) now_ns_ = env::now_ns();
  heartbeat_ns_.store(now_ns_, std::memory_order_relaxed);
  if (state_.load(std::memory_order_acquire) == WorkerState::Retiring) return Step::Retire;
  if (reactor_order_.load(std::memory_order_relaxed) != ReactorOrder::None)
    carry_out_reactor_order();
  expire_timers();
  task::Header* task = nullptr;
  if (++tick_ % kMaintenancePolls == 0) {
    poll_io();
    task = take_injected();
  }
  if (task == nullptr) task = next_task();
  if (task == nullptr) task = search();
  if (task == nullptr) {
    if (just_woken_) stats_.noop_wakeups.add();
    just_woken_ = false;
    return Step::Idle;
  }
  just_woken_ = false;
  stop_searching();
  run(task);
  return Step::Ran;
}

void Worker::run(task::Header* task) noexcept {
  const int64_t start = env::now_ns();
  if (start > task->ready_ns)
    stats_.delay_ns.record(static_cast<uint64_t>(start - task->ready_ns));
  else
    stats_.delay_ns.record(0);
  task::context().current = task;
  task->resume_point.resume();
  // The task may be gone, or running on another worker already.
  task::context().current = nullptr;
  stats_.polls.add();
  now_ns_ = env::now_ns();
  now_is_fresh_ = true;  // the end of one poll is the start of the next pass
  stats_.poll_ns.record(static_cast<uint64_t>(now_ns_ - start));
}

task::Header* Worker::next_task() noexcept {
  if (task::Header* task = queue_.pop()) return task;
  return take_injected();
}

// One to run, and a batch into the own queue so that the injector's lock is paid once for many.
task::Header* Worker::take_injected() noexcept {
  InjectQueue& injector = scheduler_.injector();
  const uint64_t waiting = injector.size();
  if (waiting == 0) return nullptr;
  const uint64_t share = waiting / scheduler_.active_workers() + 1;
  const uint32_t room = kLocalQueueSlots - queue_.size();
  uint64_t most = share < kInjectBatch ? share : kInjectBatch;
  if (most > room) most = room;
  task::Header* first = injector.take(static_cast<uint32_t>(most == 0 ? 1 : most));
  if (first == nullptr) return nullptr;
  for (task::Header* task = first->next; task != nullptr;) {
    task::Header* following = task->next;
    if (queue_.push(task, injector)) stats_.local_overflows.add();
    task = following;
  }
  return first;
}

task::Header* Worker::search() noexcept {
  if (!searching_) searching_ = scheduler_.idle().start_searching(scheduler_.active_workers());
  if (!searching_) return nullptr;
  if (task::Header* task = steal()) return task;
  return take_injected();
}

task::Header* Worker::steal() noexcept {
  const unsigned workers = scheduler_.slots_in_use();
  const unsigned start = env::choose(env::Choice::StealVictim, workers, rng_);
  for (unsigned i = 0; i < workers; ++i) {
    Worker* victim = scheduler_.slot((start + i) % workers);
    if (victim == nullptr || victim == this) continue;
    const LocalQueue::Stolen stolen = victim->queue_.steal_into(queue_);
    switch (stolen.outcome) {
      case LocalQueue::Steal::Hit:
        stats_.steal_hits.add();
        stats_.stolen_tasks.add(stolen.count);
        return stolen.first;
      case LocalQueue::Steal::Empty:
        stats_.steal_empty.add();
        break;
      case LocalQueue::Steal::Contended:
        stats_.steal_contended.add();
        break;
    }
  }
  return nullptr;
}

void Worker::stop_searching() noexcept {
  if (!searching_) return;
  searching_ = false;
  // The last searcher found something: another worker takes over the search.
  if (scheduler_.idle().stop_searching()) scheduler_.wake_one();
}

void Worker::push_local(task::Header* task) noexcept {
  switch (origin_) {
    case Origin::Local:
      stats_.scheduled_local.add();
      break;
    case Origin::Io:
      stats_.scheduled_io.add();
      break;
    case Origin::Timer:
      stats_.scheduled_timer.add();
      break;
  }
  if (queue_.push(task, scheduler_.injector())) stats_.local_overflows.add();
}

void Worker::poll_io() noexcept {
  io::Reactor* reactor = task::context().reactor;
  if (reactor == nullptr) return;
  origin_ = Origin::Io;
  reactor->poll();
  origin_ = Origin::Local;
}

void Worker::expire_timers() noexcept {
  if (timers_.next_deadline() > Instant{now_ns_}) return;
  origin_ = Origin::Timer;
  timers_.expire({now_ns_});
  origin_ = Origin::Local;
}

// --- Sleeping -----------------------------------------------------------------------------------

void Worker::fall_asleep() noexcept {
  WorkerState running = WorkerState::Running;
  // Not over Retiring: the next pass must see it. A wake-up is waiting then, so the sleep is short.
  state_.compare_exchange_strong(running, WorkerState::Parked, std::memory_order_acq_rel);
  const bool was_searching = searching_;
  searching_ = false;
  mem::park_thread_cache(cache_);
  stats_.parks.add();
  scheduler_.idle().go_to_sleep(slot_, was_searching);
  // Everybody looks once more, after the others can see that he sleeps: what came in before that is
  // found here, what comes later wakes somebody. It is not enough that the last searcher looks: one
  // that was not let search could sleep over what a foreign thread pushed meanwhile.
  if (scheduler_.has_work()) scheduler_.wake_one();
  origin_ = Origin::Io;  // what the reactor completes while we sleep
}

void Worker::awake() noexcept {
  origin_ = Origin::Local;
  searching_ = scheduler_.idle().wake_up(slot_);
  just_woken_ = true;
  mem::unpark_thread_cache(cache_);
  WorkerState parked = WorkerState::Parked;
  state_.compare_exchange_strong(parked, WorkerState::Running, std::memory_order_acq_rel);
}

// --- Retiring -----------------------------------------------------------------------------------

void Worker::hand_over() noexcept {
  moved_tasks_ = 0;
  while (task::Header* task = queue_.pop()) {
    scheduler_.injector().push(task);
    ++moved_tasks_;
  }
  moved_timers_ = heir_ != nullptr ? timers_.move_to(heir_->timers_) : 0;
  if (moved_timers_ > 0) heir_->unpark();  // its sleep may be too long now
  const bool was_searching = std::exchange(searching_, false);
  if (was_searching && scheduler_.idle().stop_searching()) scheduler_.wake_one();
  if (moved_tasks_ > 0) scheduler_.wake_one();
  mem::set_current_cache(nullptr);
  mem::release_thread_cache(std::exchange(cache_, nullptr));
}

void Worker::carry_out_reactor_order() noexcept {
  io::Driver& driver = *scheduler_.driver();
  task::Context& context = task::context();
  const bool open = reactor_order_.load(std::memory_order_acquire) == ReactorOrder::Open;
  // An order that was given up at its deadline may have been carried out since.
  if (open == has_reactor_.load(std::memory_order_relaxed)) {
    reactor_order_done({});
    return;
  }
  if (open) {
    const std::string host = "worker-" + std::to_string(slot_);
    Result<io::Reactor*> opened = driver.open_reactor(slot_, host);
    if (opened.has_value()) {
      context.reactor = *opened;
      parker_.set_reactor(*opened);
      has_reactor_.store(true, std::memory_order_release);
      reactor_order_done({});
    } else {
      reactor_order_done(fail(opened.error()));
    }
    return;
  }
  io::Reactor& reactor = driver.reactor(slot_);
  if (!retire_announced_) {
    driver.retire(slot_);
    retire_announced_ = true;
  }
  origin_ = Origin::Io;
  reactor.poll();
  origin_ = Origin::Local;
  if (!reactor.drained()) return;  // again in the next pass; the reactor wakes us when it changes
  context.reactor = nullptr;
  parker_.set_reactor(nullptr);
  has_reactor_.store(false, std::memory_order_release);
  driver.close_reactor(reactor);
  retire_announced_ = false;
  reactor_order_done({});
}

void Worker::reactor_order_done(Result<void> result) noexcept {
  reactor_failed_ = !result.has_value();
  if (reactor_failed_) reactor_error_ = result.error();
  reactor_order_.store(ReactorOrder::None, std::memory_order_relaxed);
  orders_done_.store(1, std::memory_order_release);
  os::futex_wake(orders_done_, 1);
}

WorkerSnapshot Worker::snapshot() const {
  WorkerSnapshot out;
  out.slot = slot_;
  out.state = state();
  out.queue_depth = queue_.size();
  out.polls = stats_.polls.read();
  out.parks = stats_.parks.read();
  out.noop_wakeups = stats_.noop_wakeups.read();
  out.busy_ns = stats_.busy_ns.read();
  out.steal_hits = stats_.steal_hits.read();
  out.steal_empty = stats_.steal_empty.read();
  out.steal_contended = stats_.steal_contended.read();
  out.stolen_tasks = stats_.stolen_tasks.read();
  out.local_overflows = stats_.local_overflows.read();
  out.scheduled_local = stats_.scheduled_local.read();
  out.scheduled_io = stats_.scheduled_io.read();
  out.scheduled_timer = stats_.scheduled_timer.read();
  out.heartbeat_ns = heartbeat_ns_.load(std::memory_order_relaxed);
  return out;
}

}  // namespace zokio::sched
