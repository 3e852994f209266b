// SPDX-License-Identifier: Apache-2.0
#include "sched/blocking_pool.h"

#include <mutex>
#include <utility>

#include "base/env.h"
#include "os/futex.h"
#include "os/spin_budget.h"
#include "sched/limits.h"

namespace zokio::sched {

BlockingPool::BlockingPool(unsigned threads_max, std::string thread_name, Start start)
    : threads_max_(threads_max), thread_name_(std::move(thread_name)), start_(start) {}

bool BlockingPool::submit(task::OffloadJob* job) noexcept {
#if defined(ZOKIO_SIM) && !defined(ZOKIO_MODEL)
  // One thread in all: the call happens here, or when the oracle says so.
  const auto run = [](void* it) {
    auto* self = static_cast<task::OffloadJob*>(it);
    self->run(self);
  };
  if (!env::later(run, job)) run(job);
  return true;
#else
  if (alert_.load(std::memory_order_relaxed) == 0) {
    const JobStack::Push pushed = incoming_.push(job);
    if (pushed == JobStack::Push::Closed) return false;
    if (pushed == JobStack::Push::Done) {
      if (alert_.load(std::memory_order_seq_cst) == 0) return true;
      // Somebody fell asleep meanwhile, or ended.
      std::unique_lock guard(lock_);
      collect();
      return call_thread(job, guard);
    }
  }
  job->next = nullptr;
  std::unique_lock guard(lock_);
  if (stopping_.load(std::memory_order_relaxed)) return false;
  collect();
  append({.oldest = job, .newest = job, .count = 1});
  return call_thread(job, guard);
#endif
}

// Sees to it that somebody comes for what is queued. False, and `job` is out of the queue again:
// there is nobody.
bool BlockingPool::call_thread(task::OffloadJob* job, std::unique_lock<SpinLock>& guard) noexcept {
  if (depth_.load(std::memory_order_relaxed) <= looking_) return true;
  if (Sleeper* sleeper = sleepers_) {
    sleepers_ = sleeper->next;
    set_alert();
    ++looking_;
    sleeper->word.store(Sleeper::kWoken, std::memory_order_release);
    guard.unlock();
    // By address: that the sleeper saw the word and is gone does no harm.
    os::futex_wake(sleeper->word, 1);
    return true;
  }
  const uint32_t running = running_.load(std::memory_order_relaxed);
  if (running == threads_max_) return true;
  running_.store(running + 1, std::memory_order_relaxed);
  guard.unlock();
  const bool started = !env::fault(env::Fault::ThreadStart) && start_(*this);
  guard.lock();
  if (!started) {
    running_.store(running_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    os::futex_wake(running_, 1);
  }
  set_alert();
  return running_.load(std::memory_order_relaxed) != 0 || !take_back(job);
}

// False: it is not there any more, so there was a thread. Its address is compared, not followed;
// it cannot be that of a later job, because a thread that did this one would still wait for more.
bool BlockingPool::take_back(task::OffloadJob* job) noexcept {
  collect();
  task::OffloadJob* before = nullptr;
  task::OffloadJob* at = head_;
  while (at != job && at != nullptr) before = std::exchange(at, at->next);
  if (at == nullptr) return false;
  (before != nullptr ? before->next : head_) = job->next;
  if (tail_ == job) tail_ = before;
  depth_.store(depth_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  return true;
}

void BlockingPool::append(JobLot lot) noexcept {
  if (lot.count == 0) return;
  (tail_ != nullptr ? tail_->next : head_) = lot.oldest;
  tail_ = lot.newest;
  depth_.store(depth_.load(std::memory_order_relaxed) + lot.count, std::memory_order_relaxed);
}

void BlockingPool::collect() noexcept {
  if (!incoming_.empty()) append(incoming_.take_all());
}

void BlockingPool::set_alert() noexcept {
  const uint32_t alert =
      sleepers_ != nullptr || running_.load(std::memory_order_relaxed) < threads_max_ ? 1 : 0;
  if (alert_.load(std::memory_order_relaxed) != alert)
    alert_.store(alert, std::memory_order_seq_cst);
}

bool BlockingPool::start_thread(BlockingPool& pool) noexcept {
  const auto run = [](void* self) -> void* {
    static_cast<BlockingPool*>(self)->run_thread();
    return nullptr;
  };
  pthread_t thread;
  // EAGAIN: the threads that run serve the queue.
  return pthread_create(&thread, nullptr, run, &pool) == 0;
}

void BlockingPool::run_thread() noexcept {
  std::unique_lock guard(lock_);
  const std::string name = thread_name_ + "-blk-" + std::to_string(started_++);
  guard.unlock();
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  guard.lock();
  serve(guard);
  // Each that ends waits for the one before, and the destructor for the last.
  const std::optional<pthread_t> before = std::exchange(ended_, pthread_self());
  guard.unlock();
  os::futex_wake(running_, 1);
  if (before) pthread_join(*before, nullptr);
}

void BlockingPool::serve() noexcept {
  std::unique_lock guard(lock_);
  serve(guard);
  guard.unlock();
  os::futex_wake(running_, 1);
}

// Until the thread is not counted as running any more; with the lock before and after.
void BlockingPool::serve(std::unique_lock<SpinLock>& guard) noexcept {
  os::SpinBudget budget;
  while (true) {
    if (task::OffloadJob* job = next_job(budget)) {
      guard.unlock();
      job->run(job);
      guard.lock();
      continue;
    }
    const uint32_t running = running_.load(std::memory_order_relaxed);
    running_.store(running - 1, std::memory_order_relaxed);
    set_alert();
    if (!has_jobs()) return;
    // Pushed by one who counted on this thread.
    running_.store(running, std::memory_order_relaxed);
    set_alert();
  }
}

BlockingPool::~BlockingPool() {
  stop();
  if (ended_) pthread_join(*ended_, nullptr);
}

task::OffloadJob* BlockingPool::take() noexcept {
  task::OffloadJob* job = head_;
  if (job == nullptr) return nullptr;
  head_ = job->next;
  if (head_ == nullptr)
    tail_ = nullptr;
  else
    __builtin_prefetch(head_, 1);  // mostly written on another core
  depth_.store(depth_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  return job;
}

task::OffloadJob* BlockingPool::next_job(os::SpinBudget& budget) noexcept {
  while (true) {
    if (head_ == nullptr) collect();
    if (task::OffloadJob* job = take()) return job;
    bool end = stopping_.load(std::memory_order_relaxed);
    if (!end) {
      ++idle_;
      spin(budget);
      if (!has_jobs()) end = sleep(budget) && !has_jobs();
      --idle_;
    }
    if (end) return nullptr;
  }
}

void BlockingPool::spin(os::SpinBudget& budget) noexcept {
#ifdef ZOKIO_SIM  // no time passes while it looks
  static_cast<void>(budget);
#else
  if (spinning_) return;
  spinning_ = true;
  ++looking_;
  lock_.unlock();
  int64_t now = env::now_ns();
  const int64_t end = now + budget.next(now);
  bool found = false;
  for (; !found && now < end; now = env::now_ns()) {
    for (int i = 0; i < 8; ++i) cpu_relax();
    found = depth_.load(std::memory_order_relaxed) != 0 || !incoming_.empty() ||
            stopping_.load(std::memory_order_relaxed);
  }
  found ? budget.found() : budget.in_vain(now);
  lock_.lock();
  --looking_;
  spinning_ = false;
#endif
}

// True when nobody woke it for kBlockingIdle.
bool BlockingPool::sleep(os::SpinBudget& budget) noexcept {
  if (stopping_.load(std::memory_order_relaxed)) return false;
  Sleeper self;
  self.next = std::exchange(sleepers_, &self);
  set_alert();
  // Once more, after submitters can see it.
  if (!incoming_.empty()) {
    unlink(&self);
    return false;
  }
  lock_.unlock();
  const int64_t begin = env::now_ns();
  const Instant deadline{begin + kBlockingIdle.count()};
  int64_t now = begin;
  while (self.word.load(std::memory_order_acquire) == Sleeper::kAsleep && now < deadline.ns) {
    os::futex_wait(self.word, Sleeper::kAsleep, deadline);
    now = env::now_ns();
  }
  budget.slept(now - begin, now);
  lock_.lock();
  const bool woken = self.word.load(std::memory_order_relaxed) == Sleeper::kWoken;
  if (woken)
    --looking_;
  else
    unlink(&self);
  return !woken;
}

void BlockingPool::unlink(Sleeper* sleeper) noexcept {
  Sleeper** link = &sleepers_;
  while (*link != sleeper) link = &(*link)->next;
  *link = sleeper->next;
  set_alert();
}

void BlockingPool::stop() noexcept {
  std::unique_lock guard(lock_);
  stopping_.store(true, std::memory_order_relaxed);
  append(incoming_.close());
  while (Sleeper* sleeper = sleepers_) {
    sleepers_ = sleeper->next;
    ++looking_;
    sleeper->word.store(Sleeper::kWoken, std::memory_order_release);
    os::futex_wake(sleeper->word, 1);
  }
  set_alert();
  while (const uint32_t running = running_.load(std::memory_order_relaxed)) {
    guard.unlock();
    os::futex_wait(running_, running, Instant::never());
    guard.lock();
  }
}

void BlockingPool::snapshot(SchedulerSnapshot& out) const {
  std::scoped_lock guard(lock_);
  out.blocking_depth = depth_.load(std::memory_order_relaxed) + incoming_.size();
  out.blocking_threads = running_.load(std::memory_order_relaxed);
  out.blocking_busy = out.blocking_threads - idle_;
}

}  // namespace zokio::sched
