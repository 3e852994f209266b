// SPDX-License-Identifier: Apache-2.0
#include "sched/group.h"

#include "base/env.h"
#include "mem/frame_bytes.h"
#include "sched/group_set.h"
#include "sched/scheduler.h"
#include "zokio/task/promise.h"

namespace zokio::sched {
namespace {

// A probe that is being set up.
task::Header* const kClaimed = reinterpret_cast<task::Header*>(uintptr_t{1});
// One in so many tasks has its way from ready to running measured.
constexpr uint64_t kGroupProbeEvery = 16;

uint64_t frame_bytes(task::Header* task) noexcept {
  return mem::frame_bytes(static_cast<task::Promise*>(task)->handle().address());
}

// The number of a group that a task of it is looked up by, possibly at the same time: JoinHandle.
void set_number(task::Header* task, uint16_t number) noexcept {
  std::atomic_ref(task->group).store(number, std::memory_order_relaxed);
}

}  // namespace

Group::Group(Scheduler& scheduler, GroupSet& set, unsigned index)
    : scheduler_(scheduler),
      set_(set),
      index_(index),
      number_(task::acquire_group(this)),
      entry_number_(number_ != task::kNoGroup ? task::acquire_group(&entries_) : task::kNoGroup) {}

Group::~Group() {
  if (number_ != task::kNoGroup) task::release_group(number_);
  if (entry_number_ != task::kNoGroup) task::release_group(entry_number_);
}

bool Group::offload(task::OffloadJob* job) noexcept {
  return scheduler_.offload(job);
}
uint64_t Group::id_of(const task::Header* task) const noexcept {
  return scheduler_.id_of(task);
}

// --- Tasks that come and go ---------------------------------------------------------------------

void Group::came(task::Header* task) noexcept {
  set_number(task, number_);
  alive_.fetch_add(1, std::memory_order_relaxed);
  spawned_.add_shared();
  memory_.fetch_add(frame_bytes(task), std::memory_order_relaxed);
}

void Group::went(uint64_t bytes) noexcept {
  memory_.fetch_sub(bytes, std::memory_order_relaxed);
  // Ordering: release; the slot is used again after everything the task did.
  alive_.fetch_sub(1, std::memory_order_release);
}

void Group::adopt(task::Header* task, const char* name) noexcept {
  scheduler_.adopt(task, name);
  came(task);
}

void Group::enlist(task::Header* task) noexcept {
  scheduler_.enlist(task);
}

void Group::finished(task::Header* task, task::Ending ending) noexcept {
  const uint64_t bytes = frame_bytes(task);
  scheduler_.finished(task, ending);
  went(bytes);
}

void Group::entry_finished(task::Header* task, task::Ending ending) noexcept {
  const uint64_t bytes = frame_bytes(task);
  scheduler_.finished(task, ending);
  admission_.leave();
  went(bytes);
}

void Group::make_entry(task::Header* task) noexcept {
  set_number(task, entry_number_);
}

void Group::move_out(task::Header* task) noexcept {
  if (task->group == entry_number_) admission_.leave();
  went(frame_bytes(task));
}

void Group::move_in(task::Header* task) noexcept {
  scheduler_.leave_group(task);
  came(task);
  push(task);
}

// --- Limits -------------------------------------------------------------------------------------

Result<bool> Group::reserve() noexcept {
  const uint64_t most = max_memory_.load(std::memory_order_relaxed);
  if (most != 0 && memory_.load(std::memory_order_relaxed) >= most) {
    refused_.add_shared();
    return fail(Errc::ResourceExhausted, "max_memory", Detail::Limit);
  }
  Result<bool> reserved = admission_.reserve();
  if (!reserved.has_value()) refused_.add_shared();
  return reserved;
}

void Group::unreserve(bool place) noexcept {
  place ? admission_.leave() : admission_.forget();
}

Result<void> Group::charge_memory(uint64_t bytes) noexcept {
  const uint64_t most = max_memory_.load(std::memory_order_relaxed);
  uint64_t memory = memory_.load(std::memory_order_relaxed);
  do {
    if (most == 0 || (memory <= most && bytes <= most - memory)) continue;
    refused_.add_shared();
    return fail(Errc::ResourceExhausted, "max_memory", Detail::Limit);
  } while (!memory_.compare_exchange_weak(memory, memory + bytes, std::memory_order_relaxed,
                                          std::memory_order_relaxed));
  return {};
}

void Group::uncharge_memory(uint64_t bytes) noexcept {
  memory_.fetch_sub(bytes, std::memory_order_relaxed);
}

Result<void> Group::set(const GroupOptions& options) {
  if (options.shares == 0 || options.shares > kSharesMost)
    return fail(Errc::InvalidArgument, "shares");
  if (options.max_queued != 0 && options.max_running == 0)
    return fail(Errc::InvalidArgument, "max_queued");
  std::scoped_lock guard(mutex_);
  options_ = options;
  shares_.store(options.shares, std::memory_order_relaxed);
  if (!held_.load(std::memory_order_relaxed) || options.latency != latency())
    set_.set_latency(*this, options.latency);
  latency_.store(options.latency, std::memory_order_relaxed);
  max_memory_.store(options.max_memory, std::memory_order_relaxed);
  admission_.set(options.max_running, options.max_queued);
  return {};
}

void Group::renew(const GroupOptions& options) {
  held_.store(true, std::memory_order_relaxed);
  std::scoped_lock guard(mutex_);
  options_ = options;
  base_.spawned = spawned_.read();
  base_.refused = refused_.read();
  base_.polls = polls_.read();
  base_.cpu_ns = cpu_ns_.read();
}

// --- Ready tasks --------------------------------------------------------------------------------

void Group::push(task::Header* task) noexcept {
  mark_queued(task);
  scheduler_.trace_wake(task);
  if (probe_.load(std::memory_order_relaxed) == nullptr && polls_.read() % kGroupProbeEvery == 0)
      [[unlikely]] {
    task::Header* none = nullptr;
    if (probe_.compare_exchange_strong(none, kClaimed, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
      probe_since_ns_ = env::now_ns();
      probe_.store(task, std::memory_order_release);
    }
  }
  const task::Context& context = task::context();
  const bool from_worker = context.executor == &scheduler_ && context.self != nullptr;
  queue_.push(task, from_worker ? context.worker : 0);
  set_.note_ready(*this);
  wake_a_worker(from_worker);
}

// As for other tasks (Scheduler::push_outside, Worker::push_older): a worker that is awake finds it
// soon, and waking another costs more than a short backlog. An interactive task does not wait for
// the poll that made it ready.
void Group::wake_a_worker(bool from_worker) noexcept {
  const bool interactive = latency() == Latency::Interactive;
  if (interactive && from_worker) task::context().self->attend();
  const Idle& idle = scheduler_.idle();
  const unsigned sleeping = idle.sleeping();
  if (sleeping == 0 || idle.searching() != 0) return;
#ifndef ZOKIO_SIM
  const unsigned active = scheduler_.active_workers();
  const uint64_t awake = active > sleeping ? active - sleeping : 0;
  if (awake > 0 && !interactive &&
      queue_.size() * average_poll_ns_.load(std::memory_order_relaxed) <
          awake * static_cast<uint64_t>(kWakeWorth.count()))
    return;
#endif
  scheduler_.wake_one();
}

task::Header* Group::take(unsigned hint) noexcept {
  task::Header* task = queue_.take(hint);
  if (task != nullptr && probe_.load(std::memory_order_acquire) == task) [[unlikely]] {
    const int64_t waited = env::now_ns() - probe_since_ns_;
    probe_.store(nullptr, std::memory_order_release);
    delay_ns_.record_shared(waited > 0 ? static_cast<uint64_t>(waited) : 0);
  }
  return task;
}

void Group::polled(uint64_t ns, uint64_t polls) noexcept {
  polls_.add_shared(polls);
  cpu_ns_.add_shared(ns);
  const uint64_t average = average_poll_ns_.load(std::memory_order_relaxed);
  average_poll_ns_.store((7 * average + ns / polls) / 8 + 1, std::memory_order_relaxed);
}

GroupStats Group::stats() const {
  GroupStats out;
  std::scoped_lock guard(mutex_);
  out.name = options_.name;
  out.shares = options_.shares;
  out.ready = queue_.size();
  // The living before those that came, so that no figure is negative.
  const uint64_t alive = alive_.load(std::memory_order_acquire);
  out.queued = std::min(admission_.queued(), alive);
  out.running = alive - out.queued;
  out.spawned = spawned_.read() - base_.spawned;
  out.finished = out.spawned - std::min(alive, out.spawned);
  out.refused = refused_.read() - base_.refused;
  out.polls = polls_.read() - base_.polls;
  out.cpu_ns = cpu_ns_.read() - base_.cpu_ns;
  out.memory_bytes = memory_.load(std::memory_order_relaxed);
  out.delay_ns = delay_ns_.snapshot();
  return out;
}

}  // namespace zokio::sched
