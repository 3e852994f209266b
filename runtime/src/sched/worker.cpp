// SPDX-License-Identifier: Apache-2.0
//
// THE LOOP. A pass of a worker, in this order:
//   1. its duties                     when they are due, or somebody wants attention (maintain()):
//                                     retiring, reactor orders, timers, the reactor, and one task
//                                     whose turn it is however busy the worker keeps itself
//   2. newest task, own queue, overflow, injector, thieving: the first task found is run
//   3. nothing                        the duties once more, look around a while, then sleep: in
//                                     the reactor if there is one
// Retiring sets the attention flag, which is read before every pop, so that a backlog cannot hide
// it. A pass without duties reads no clock: polls are timed and counted by samples.
//
// What a task may rely on: it runs on one worker at a time, and is resumed once per suspension.

#include "sched/worker.h"

#include <pthread.h>

#include <algorithm>
#include <system_error>
#include <vector>

#include "io/driver.h"
#include "io/reactor.h"
#include "os/futex.h"
#include "sched/scheduler.h"
#include "zokio/base/assert.h"
#include "zokio/base/fence.h"
#include "zokio/mem/thread_cache.h"
#include "zokio/task/wait.h"

namespace zokio::sched {

Worker::Worker(Scheduler& scheduler, uint32_t slot, uint64_t seed)
    : scheduler_(scheduler), slot_(slot), rng_(seed * 0x9e3779b97f4a7c15 + slot + 1) {}

// --- Control side -------------------------------------------------------------------------------

Result<void> Worker::start() {
  ZOKIO_CHECK(state() == WorkerState::Empty, "the slot is in use");
  if (!has_thread_.load(std::memory_order_relaxed)) {
    if (env::fault(env::Fault::ThreadStart))
      return fail(Errc::ResourceExhausted, "start worker", Detail::Limit);
    quit_.store(false, std::memory_order_relaxed);
#ifndef ZOKIO_SIM
    try {
      thread_ = std::thread([this] { run_thread(); });
    } catch (const std::system_error& error) {
      return fail_errno(error.code().value(), "start worker");
    }
#endif
    has_thread_.store(true, std::memory_order_relaxed);
  }
  timers_.open();
  state_.store(WorkerState::Parked, std::memory_order_release);
  // The set first: a thread that wakes for an old reason takes itself out of it. Was it chosen
  // before it may know that it is used, it slept on, and is woken again.
  scheduler_.idle().go_to_sleep(slot_, false);
  // Ordering: release; what the strand did to a worker that it retired in its sleep.
  ended_.store(0, std::memory_order_release);
  if (!scheduler_.idle().sleeps(slot_)) unpark();
  return {};
}

void Worker::seat() noexcept {
  ZOKIO_CHECK(state() == WorkerState::Empty, "the slot is in use");
  ended_.store(0, std::memory_order_relaxed);
  state_.store(WorkerState::Running, std::memory_order_release);
  lifo_budget_ = 0;  // the newest one waits for the others
}

void Worker::ask_to_retire(Worker* heir) noexcept {
  heir_ = heir;
  state_.store(WorkerState::Retiring, std::memory_order_release);
  attend();
  unpark();
}

bool Worker::join_by(Instant deadline) noexcept {
  while (ended_.load(std::memory_order_acquire) == 0) {
    if (Instant::now() >= deadline) return false;
    os::futex_wait(ended_, 0, deadline);
  }
  state_.store(WorkerState::Empty, std::memory_order_release);
  retired_at_ = Instant::now();
  return true;
}

bool Worker::retire_asleep(Worker* heir) noexcept {
  if (!parker_.hold()) return false;
  if (scheduler_.idle().wake_up(slot_)) {
    parker_.let_go(true);  // somebody is about to wake it, as a searcher
    return false;
  }
  heir_ = heir;
  state_.store(WorkerState::Retiring, std::memory_order_release);
  hand_over();
  has_retired();
  parker_.let_go(false);
  return true;
}

void Worker::end_thread() noexcept {
  ZOKIO_CHECK(state() == WorkerState::Empty, "the thread is at work");
  quit_.store(true, std::memory_order_release);
  unpark();
  if (thread_.joinable()) thread_.join();
  has_thread_.store(false, std::memory_order_relaxed);
}

void Worker::order_reactor(ReactorOrder order) noexcept {
  orders_done_.store(0, std::memory_order_relaxed);
  reactor_order_.store(order, std::memory_order_release);
  attend();
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
  context.ledger = &stats_.tasks;
  context.unusual = &scheduler_.unusual();
  context.group = scheduler_.group();
  context.worker = slot_;
  context.self = this;
  context.forks = &forks_;
  context.fork_host = this;
  context.lifo = lifo_budget_ != 0 ? &lifo_ : nullptr;
  const bool first = cache_ == nullptr;
  if (first) cache_ = mem::acquire_thread_cache();
  mem::set_current_cache(cache_);
  if (first && state() != WorkerState::Running) mem::park_thread_cache(cache_);  // as a sleeper has
  context.cache = cache_;
  if (has_reactor_.load(std::memory_order_relaxed))
    context.reactor = &scheduler_.driver()->reactor(slot_);
  view_.open();
}

void Worker::leave() noexcept {
  view_.close();
  mem::set_current_cache(nullptr);
  task::context() = {};
}

void Worker::run_thread() noexcept {
  const std::string name = scheduler_.thread_name() + "-" + std::to_string(slot_);
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  if (!sleep(Instant::never())) return;
  enter();
  awake();
  int64_t busy_since = env::now_ns();
  while (true) {
    const Step step = this->step();
    if (step == Step::Ran || (step == Step::Idle && spin())) continue;
    const int64_t asleep = env::now_ns();
    stats_.busy_ns.add(static_cast<uint64_t>(asleep - busy_since));
    if (step == Step::Retire)
      end();
    else
      fall_asleep();
    if (!sleep(step == Step::Retire ? Instant::never() : sleep_until())) break;
    busy_since = env::now_ns();
    spin_budget_.slept(busy_since - asleep, busy_since);
    trace(TraceKind::Park, nullptr, static_cast<uint64_t>(busy_since - asleep));
    awake();
  }
  quit();
}

bool Worker::sleep(Instant deadline) noexcept {
  parker_.park(deadline);
  // Retired before the sleep, or in it.
  while (ended_.load(std::memory_order_acquire) != 0) {
    if (quit_.load(std::memory_order_acquire)) return false;
    parker_.park(Instant::never());
  }
  return true;
}

void Worker::end() noexcept {
  hand_over();
  mem::park_thread_cache(cache_);
  has_retired();
}

void Worker::has_retired() noexcept {
  mem::drain_parked_cache(cache_);
  ended_.store(1, std::memory_order_release);
  os::futex_wake(ended_, 1);
}

void Worker::quit() noexcept {
  mem::release_thread_cache(std::exchange(cache_, nullptr));
  leave();
}

Worker::Step Worker::step() noexcept {
  task::Header* task = nullptr;
  if (polls_left_ == 0 || attention_.load(std::memory_order_relaxed)) [[unlikely]] {
    if (!maintain(task)) return Step::Retire;
    if (groups_go_on_) [[unlikely]]
      return Step::Ran;
  }
  if (task == nullptr) task = next_task();
  if (task == nullptr) {
    // Nothing of its own: see to the duties before going on to others'.
    if (!maintain(task)) return Step::Retire;
    if (task == nullptr) task = next_task();
    if (task == nullptr && io_ends_soon()) {
      poll_io();
      task = next_task();
    }
    if (task == nullptr) task = search();
    if (task == nullptr && scheduler_.groups().ready() && run_groups(true)) return Step::Ran;
  }
  if (task == nullptr) {
    if (just_woken_) stats_.noop_wakeups.add();
    just_woken_ = false;
    polls_left_ = interval_ = 0;  // looking around and sleeping is no part of the average
    return Step::Idle;
  }
  just_woken_ = false;
  if (searching_) stop_searching();
  run(task);
  return Step::Ran;
}

bool Worker::maintain(task::Header*& task) noexcept {
  if (attention_.load(std::memory_order_relaxed))
    attention_.store(false, std::memory_order_relaxed);
  groups_go_on_ = false;
  if (stuck_.load(std::memory_order_relaxed)) stuck_.store(false, std::memory_order_relaxed);
  if (state_.load(std::memory_order_acquire) == WorkerState::Retiring) return false;
  set_pace();
  trace_ = scheduler_.tracer().wants(now_ns_) ? scheduler_.tracer().ring(slot_) : nullptr;
  if (trace_ != nullptr) probe_left_ = 1;  // so that every wake-up is seen
  trace(TraceKind::Maintain, nullptr);
  heartbeat_ns_.store(now_ns_, std::memory_order_relaxed);
  if (reactor_order_.load(std::memory_order_relaxed) != ReactorOrder::None) {
    carry_out_reactor_order();
    // Not through yet: again in the next pass.
    if (reactor_order_.load(std::memory_order_relaxed) != ReactorOrder::None) polls_left_ = 0;
  }
  expire_timers();
  refill();
  if (io_is_due()) poll_io();
  if (!scheduler_.one_cache()) cpu_.store(os::current_cpu(), std::memory_order_relaxed);
  timed_ = true;
  // A backlog that lasted an interval is worth a wake-up whatever the average says.
  if (queue_.size() + overflow_.size() > 1 && wake_is_worth(UINT64_MAX)) scheduler_.wake_one();
  if (scheduler_.groups().ready() && share_with_groups()) [[unlikely]]
    return true;
  own_first_ = !own_first_;
  if (own_first_) task = overflow_.take_one();
  if (task == nullptr) task = take_turn_of_outside();
  return true;
}

// The clock, the average poll, and how many polls until the next maintenance.
void Worker::set_pace() noexcept {
  const int64_t before = now_ns_;
  now_ns_ = env::now_ns();
  const uint32_t polls = interval_ - polls_left_;
  ran_ns_ = polls > 0 ? now_ns_ - before : 0;
  if (polls > 0) {
    const uint64_t average = static_cast<uint64_t>(ran_ns_) / polls;
    average_poll_ns_ = (3 * average_poll_ns_ + average) / 4 + 1;
    scheduler_.note_average_poll(average_poll_ns_);
  }
  const uint64_t fitting = static_cast<uint64_t>(kMaintainEvery.count()) / average_poll_ns_;
  interval_ = static_cast<uint32_t>(std::clamp<uint64_t>(fitting, 1, kMaintainPolls));
  if (told_.load(std::memory_order_relaxed)) see_to_outside();
  polls_left_ = interval_;
}

// Somebody outside told that there is something. From now on others may interrupt again, or, when
// the last interruption is no kOutsideEvery ago, from the next maintenance on, which comes sooner.
void Worker::see_to_outside() noexcept {
  if (now_ns_ - told_at_ns_ >= kOutsideEvery.count()) {
    told_at_ns_ = now_ns_;
    told_.store(false, std::memory_order_relaxed);
    return;
  }
  const auto fitting = static_cast<uint64_t>(kOutsideEvery.count()) / average_poll_ns_;
  interval_ =
      static_cast<uint32_t>(std::clamp<uint64_t>(fitting, 1, std::min(interval_, kOutsidePolls)));
}

void Worker::resume(task::Header* task, uint32_t switches) noexcept {
  task::mark_running(task);
  task::Context& context = task::context();
  context.current = task;
  context.budget = task::kPollBudget;
  context.switches = switches;
  task->resume_point.resume();
  // The task may be gone, or running on another worker already.
  context.current = nullptr;
  if (forks_.used()) [[unlikely]]
    settle_forks();
  stats_.polls.add(1 + switches - context.switches);
}

inline void Worker::run(task::Header* task) noexcept {
  if (polls_left_ > 0) --polls_left_;
  if ((task->status & task::Header::kProbed) != 0) [[unlikely]]
    scheduler_.probe_arrived(task, stats_.delay_ns);
  if (timed_) [[unlikely]]
    return run_timed(task);
  resume(task, task::kInlineSwitches);
}

void Worker::run_timed(task::Header* task) noexcept {
  if (trace_ != nullptr) return run_traced(task);  // and so with the next one
  timed_ = false;
  const int64_t start = env::now_ns();
  run(task);
  stats_.poll_ns.record(static_cast<uint64_t>(env::now_ns() - start));
}

// No switches past the loop, so that every task is seen. The wait that ended is still in the
// header: the task takes it out when it goes on.
void Worker::run_traced(task::Header* task) noexcept {
  TraceEvent event;
  event.kind = TraceKind::Run;
  if (task->slot == task::kUnlisted) task::enlist(task);  // spawned before the trace began
  event.task = scheduler_.id_of(task);
  event.code = *static_cast<void**>(task->resume_point.address());
  const uintptr_t wait = task->wait.load(std::memory_order_relaxed) & ~task::kWaitBits;
  if (wait != 0) event.text = reinterpret_cast<const task::Wait*>(wait)->ops->name;
  event.at_ns = env::now_ns();
  resume(task, 0);
  const auto took = static_cast<uint64_t>(env::now_ns() - event.at_ns);
  stats_.poll_ns.record(took);
  event.value = took;
  if (scheduler_.tracer().wants(event.at_ns + static_cast<int64_t>(took))) trace_->record(event);
}

void Worker::trace(TraceKind kind, const task::Header* task, uint64_t value,
                   const char* text) noexcept {
  if (trace_ == nullptr) return;
  TraceEvent event;
  event.kind = kind;
  event.at_ns = env::now_ns();
  if (!scheduler_.tracer().wants(event.at_ns)) return;
  if (kind == TraceKind::Park) event.at_ns -= static_cast<int64_t>(value);
  if (task != nullptr) event.task = scheduler_.id_of(task);
  event.value = value;
  event.text = text;
  trace_->record(event);
}

inline task::Header* Worker::next_task() noexcept {
  uint32_t& newest_left = task::context().newest_left;
  if (lifo_.load(std::memory_order_relaxed) != nullptr && newest_left > 0) {
    if (task::Header* task = lifo_.exchange(nullptr, std::memory_order_acquire)) {
      --newest_left;
      return task;
    }
  }
  newest_left = lifo_budget_;
  if (task::Header* task = queue_.pop()) return task;
  if (lifo_.load(std::memory_order_relaxed) != nullptr)
    if (task::Header* task = lifo_.exchange(nullptr, std::memory_order_acquire)) return task;
  if (task::Header* task = take_overflow()) return task;
  return take_injected();
}

// Puts what is left of a bag into the own queue, which has room. The tasks come from another core's
// cache: asked for now, header and parameters are there when their turn comes.
void Worker::empty(Bag* bag) noexcept {
  for (uint32_t i = bag->first; i < bag->count; ++i) {
    prefetch_for_write(bag->tasks[i]);
    prefetch_for_write(reinterpret_cast<const std::byte*>(bag->tasks[i]) + kCacheLine);
    if (queue_.push(bag->tasks[i], overflow_)) stats_.local_overflows.add();
  }
  free_bag(bag);
}

// The same, but for the first, which is the caller's.
task::Header* Worker::unpack(Bag* bag) noexcept {
  task::Header* first = bag->tasks[bag->first++];
  empty(bag);
  return first;
}

// At a maintenance, before the reactor and others bring more: what was spilled has waited longer.
void Worker::refill() noexcept {
  while (!overflow_.empty() && queue_has_room()) {
    Bag* bag = overflow_.take_bag();
    if (bag == nullptr) return;
    empty(bag);
  }
}

// Requires: the own queue is empty.
task::Header* Worker::take_overflow() noexcept {
  Bag* bag = overflow_.take_bag();
  return bag != nullptr ? unpack(bag) : nullptr;
}

// A thread that spawns one task after the other is slower than a worker that runs them. Taken one
// by one, each costs both sides the lock, the bag and their cache lines; so while they keep coming,
// a worker that has nothing else waits until a bag is full, a microsecond or two.
void Worker::let_bag_fill() noexcept {
#ifndef ZOKIO_SIM                // where nobody works while somebody waits
  constexpr uint64_t kLook = 4;  // pauses, some 20 ns each
  const Injector& injector = scheduler_.injector();
  const uint64_t before = injector.size();
  if (before == 0 || before >= Bag::kTasks) return;
  if (!std::exchange(streaming_, true)) return;
  for (uint64_t i = 0; i < kLook; ++i) cpu_relax();
  const uint64_t now = injector.size();
  if (now <= before || now >= Bag::kTasks) return;
  // One look more than that would take the line with the size from the producer again.
  const uint64_t pauses = kLook * (Bag::kTasks - now) / (now - before);
  for (uint64_t i = 0; i < std::min(pauses, kFillPauses); ++i) cpu_relax();
#endif
}

// Requires: room for a bag in the own queue.
task::Header* Worker::take_injected() noexcept {
  let_bag_fill();
  Bag* bag = scheduler_.injector().take_bag(slot_);
  return bag != nullptr ? unpack(bag) : nullptr;
}

// At a maintenance. As many bags as there is room for: they stand behind what is in the own queue,
// and while that never runs empty, nothing else brings them in. Without room one of them, which
// goes on behind the overflow.
task::Header* Worker::take_turn_of_outside() noexcept {
  Injector& injector = scheduler_.injector();
  Bag* bag = injector.take_bag(slot_);
  if (bag == nullptr) return nullptr;
  if (!queue_has_room()) {
    task::Header* first = bag->tasks[bag->first++];
    overflow_.push_many({bag->tasks + bag->first, bag->count - bag->first});
    free_bag(bag);
    return first;
  }
  task::Header* first = unpack(bag);
  while (queue_has_room()) {
    bag = injector.take_bag(slot_);
    if (bag == nullptr) return first;
    empty(bag);
  }
  // There may be more: their turn is when these are through.
  interval_ = polls_left_ = std::clamp(queue_.size(), 1u, polls_left_);
  return first;
}

task::Header* Worker::search() noexcept {
  if (!searching_) searching_ = scheduler_.idle().start_searching(scheduler_.active_workers());
  if (!searching_) return nullptr;
  if (task::Header* task = steal()) return task;
  return take_injected();
}

task::Header* Worker::steal_from(Worker& victim) noexcept {
  const LocalQueue::Stolen stolen = victim.queue_.steal_into(queue_);
  switch (stolen.outcome) {
    case LocalQueue::Steal::Hit:
      stats_.steal_hits.add();
      stats_.stolen_tasks.add(stolen.count);
      trace(TraceKind::Steal, nullptr, stolen.count);
      return stolen.first;
    case LocalQueue::Steal::Contended:
      stats_.steal_contended.add();
      break;
    case LocalQueue::Steal::Empty:
      stats_.steal_empty.add();
      break;
  }
  Bag* bag = victim.overflow_.take_bag();
  if (bag == nullptr) return nullptr;
  stats_.steal_hits.add();
  stats_.stolen_tasks.add(bag->count - bag->first);
  return unpack(bag);
}

// Nearest first: the last victim, then those whose processor shares a cache with this one, then the
// rest. The newest task of a worker, which it is about to run, only when there is nothing else.
task::Header* Worker::steal() noexcept {
  const unsigned workers = scheduler_.slots_in_use();
  if (Worker* victim = last_victim_ < workers ? scheduler_.slot(last_victim_) : nullptr;
      victim != nullptr && victim != this && victim->ready() > 0) {
    if (task::Header* task = steal_from(*victim)) return task;
  }
  const unsigned start = env::choose(env::Choice::StealVictim, workers, rng_);
  for (const bool near : {true, false}) {
    if (!near && scheduler_.one_cache()) break;
    for (unsigned i = 0; i < workers; ++i) {
      Worker* victim = scheduler_.slot((start + i) % workers);
      if (victim == nullptr || victim == this || scheduler_.near(*this, *victim) != near) continue;
      if (task::Header* task = steal_from(*victim)) {
        last_victim_ = victim->slot_;
        return task;
      }
    }
  }
  if (task::Header* task = steal_fork()) return task;
  return steal_newest();
}

task::Header* Worker::steal_newest() noexcept {
  for (unsigned i = 0; i < scheduler_.slots_in_use(); ++i) {
    Worker* victim = scheduler_.slot(i);
    if (victim == nullptr || victim == this) continue;
    if (!victim->newest_is_surplus()) continue;
    if (task::Header* task = victim->lifo_.exchange(nullptr, std::memory_order_acq_rel)) {
      stats_.steal_hits.add();
      stats_.stolen_tasks.add();
      return task;
    }
  }
  return nullptr;
}

void Worker::stop_searching() noexcept {
  searching_ = false;
  const bool more_forks = std::exchange(more_forks_, false);
  // The last searcher found something: another worker takes over the search, if there is more.
  if (scheduler_.idle().stop_searching() &&
      (more_forks ||
       wake_is_worth(queue_.size() + overflow_.size() + scheduler_.injector().size())))
    scheduler_.wake_one();
}

inline bool Worker::wake_is_worth(uint64_t backlog) noexcept {
  const Idle& idle = scheduler_.idle();
  if (idle.sleeping() == 0 || idle.searching() != 0) return false;
#ifdef ZOKIO_SIM
  static_cast<void>(backlog);
  return env::choose(env::Choice::WakeWorth, 2, rng_) != 0;
#else
  return backlog != 0 && backlog >= static_cast<uint64_t>(kWakeWorth.count()) / average_poll_ns_;
#endif
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
      scheduler_.registry().prefetch(task);
      break;
  }
  if (--probe_left_ == 0) [[unlikely]] {
    probe_left_ = trace_ != nullptr ? 1 : kProbeEvery;
    trace(TraceKind::Wake, task);
    scheduler_.probe(task);
  }
  // Only this worker fills the slot, others can but empty it: an empty one needs no exchange.
  if (lifo_.load(std::memory_order_relaxed) == nullptr) {
    lifo_.store(task, std::memory_order_release);
    return;
  }
  task::Header* older = lifo_.exchange(task, std::memory_order_acq_rel);
  if (older != nullptr) push_older(older);
}

// Behind the newest. No fence between the push and the look at the idle set: this worker is awake
// and looks again, at the latest at its next maintenance, and the watchdog looks after it.
inline void Worker::push_older(task::Header* task) noexcept {
  if (queue_.push(task, overflow_)) stats_.local_overflows.add();
  if (wake_is_worth(queue_.size())) scheduler_.wake_one();
}

void Worker::push_last(task::Header* task) noexcept {
  stats_.scheduled_local.add();
  if (lifo_budget_ == 0) [[unlikely]]
    if (task::Header* older = lifo_.exchange(nullptr, std::memory_order_acq_rel)) push_older(older);
  // Behind all that is ready, or a thousand tasks that only yield would be 256 that have all the
  // turns.
  if (!overflow_.empty()) [[unlikely]]
    return overflow_.push(task);
  push_older(task);
}

bool Worker::io_is_due() const noexcept {
  const int64_t since = now_ns_ - io_polled_ns_;
  if (since < kPollIoEvery.count()) return false;
  return stats_.polls.read() >= io_due_polls_ || since >= kPollIoLatest.count();
}

bool Worker::io_ends_soon() const noexcept {
  const io::Reactor* reactor = task::context().reactor;
  return reactor != nullptr && reactor->ends_soon();
}

void Worker::poll_io() noexcept {
  io_polled_ns_ = now_ns_;
  io::Reactor* reactor = task::context().reactor;
  if (reactor == nullptr) return;
  origin_ = Origin::Io;
  const uint32_t room = overflow_.empty() ? kLocalQueueSlots - queue_.size() : 0;
  reactor->poll(std::max(room, kLeastIo));
  origin_ = Origin::Local;
  io_due_polls_ = stats_.polls.read() + queue_.size() + overflow_.size();
}

void Worker::expire_timers() noexcept {
  origin_ = Origin::Timer;
  timers_.expire({now_ns_}, kLocalQueueSlots - queue_.size());
  origin_ = Origin::Local;
}

// --- Sleeping -----------------------------------------------------------------------------------

void Worker::fall_asleep() noexcept {
  WorkerState running = WorkerState::Running;
  // Not over Retiring: the next pass must see it. A wake-up is waiting then, so the sleep is short.
  state_.compare_exchange_strong(running, WorkerState::Parked, std::memory_order_acq_rel);
  const bool was_searching = searching_;
  searching_ = false;
  streaming_ = false;
  scheduler_.registry().release_if_empty(slot_);
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
  cpu_.store(os::current_cpu(), std::memory_order_relaxed);
  WorkerState parked = WorkerState::Parked;
  state_.compare_exchange_strong(parked, WorkerState::Running, std::memory_order_acq_rel);
  full_fence();  // the state before the watchdog's word; it fences between the word and the states
  polls_left_ = 0;
  interval_ = 0;  // the sleep is no part of the average
  scheduler_.watchdog().workers_are_awake();
}

// Looks for work without sleeping, for a while. Counts as searching, so that whoever makes a task
// ready meanwhile wakes nobody. True when there is something to look at.
bool Worker::spin() noexcept {
  const int64_t begin = env::now_ns();
  const int64_t length = spin_budget_.next(begin);
  if (length == 0) return false;
  if (!searching_) searching_ = scheduler_.idle().start_searching(scheduler_.active_workers());
  if (!searching_) return false;
  const int64_t end = std::min(begin + length, timers_.next_deadline().ns);
  int64_t others_at = begin;
  for (int64_t now = begin; now < end; now = env::now_ns()) {
    if (!scheduler_.injector().empty() || attention_.load(std::memory_order_acquire) ||
        parker_.take_notification()) {
      spin_budget_.found();
      if (now - begin > kStreamGap.count()) streaming_ = false;
      return true;
    }
    // Others' queues and the reactor cost their owners or a system call: less often.
    if (now - others_at > 5'000) {
      others_at = now;
      if (scheduler_.has_work()) return true;
      now_ns_ = now;
      poll_io();
      if (lifo_.load(std::memory_order_relaxed) != nullptr) return true;
    }
    for (int i = 0; i < 8; ++i) cpu_relax();
  }
  spin_budget_.in_vain(end);
  return false;
}

// --- Retiring -----------------------------------------------------------------------------------

void Worker::hand_over() noexcept {
  std::vector<task::Header*> left;
  if (task::Header* task = lifo_.exchange(nullptr, std::memory_order_acq_rel)) left.push_back(task);
  while (task::Header* task = queue_.pop()) left.push_back(task);
  while (task::Header* task = overflow_.take_one()) left.push_back(task);
  scheduler_.injector().push_front(left);
  polls_left_ = interval_ = 0;  // should the slot be used again
  moved_tasks_ = left.size();
  moved_timers_ = heir_ != nullptr ? timers_.move_to(heir_->timers_) : 0;
  if (moved_timers_ > 0) heir_->unpark();  // its sleep may be too long now
  const bool was_searching = std::exchange(searching_, false);
  if (was_searching && scheduler_.idle().stop_searching()) scheduler_.wake_one();
  if (moved_tasks_ > 0) scheduler_.wake_one();
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
  out.queue_depth = ready();
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
