// SPDX-License-Identifier: Apache-2.0
#include "sched/blocking_pool.h"

#include <mutex>
#include <utility>

#include "base/env.h"
#include "os/futex.h"
#include "os/spin_budget.h"
#include "sched/limits.h"

namespace zokio::sched {

BlockingPool::BlockingPool(unsigned threads_max, std::string thread_name)
    : threads_max_(threads_max), thread_name_(std::move(thread_name)) {}

bool BlockingPool::submit(task::OffloadJob* job) noexcept {
#ifdef ZOKIO_SIM
  job->run(job);  // one thread in all: the call happens here
  return true;
#else
  job->next = nullptr;
  std::unique_lock guard(lock_);
  if (stopping_.load(std::memory_order_relaxed)) return false;
  const uint64_t depth = depth_.load(std::memory_order_relaxed);
  const uint32_t running = running_.load(std::memory_order_relaxed);
  if (depth >= looking_ && sleepers_ == nullptr && running < threads_max_) {
    running_.store(running + 1, std::memory_order_relaxed);
    guard.unlock();
    const bool started = start_thread();
    guard.lock();
    if (!started) {
      const uint32_t others = running_.load(std::memory_order_relaxed) - 1;
      running_.store(others, std::memory_order_relaxed);
      if (others == 0) return false;
    }
    if (stopping_.load(std::memory_order_relaxed)) return false;
  }
  (tail_ != nullptr ? tail_->next : head_) = job;
  tail_ = job;
  depth_.store(depth_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  Sleeper* sleeper = sleepers_;
  if (sleeper == nullptr || depth_.load(std::memory_order_relaxed) <= looking_) return true;
  sleepers_ = sleeper->next;
  ++looking_;
  sleeper->word.store(Sleeper::kWoken, std::memory_order_release);
  guard.unlock();
  // By address: that the sleeper saw the word and is gone does no harm.
  os::futex_wake(sleeper->word, 1);
  return true;
#endif
}

bool BlockingPool::start_thread() noexcept {
  if (env::fault(env::Fault::ThreadStart)) return false;
  const auto run = [](void* pool) -> void* {
    static_cast<BlockingPool*>(pool)->run_thread();
    return nullptr;
  };
  pthread_t thread;
  // EAGAIN: the threads that run serve the queue.
  return pthread_create(&thread, nullptr, run, this) == 0;
}

void BlockingPool::run_thread() noexcept {
  std::unique_lock guard(lock_);
  const std::string name = thread_name_ + "-blk-" + std::to_string(started_++);
  guard.unlock();
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  os::SpinBudget budget;
  guard.lock();
  while (task::OffloadJob* job = next_job(budget)) {
    guard.unlock();
    job->run(job);
    guard.lock();
  }
  running_.store(running_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  // Each that ends waits for the one before, and the destructor for the last.
  const std::optional<pthread_t> before = std::exchange(ended_, pthread_self());
  guard.unlock();
  os::futex_wake(running_, 1);
  if (before) pthread_join(*before, nullptr);
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
    if (task::OffloadJob* job = take()) return job;
    bool end = stopping_.load(std::memory_order_relaxed);
    if (!end) {
      ++idle_;
      spin(budget);
      if (head_ == nullptr) end = sleep(budget) && head_ == nullptr;
      --idle_;
    }
    if (end) return nullptr;
  }
}

void BlockingPool::spin(os::SpinBudget& budget) noexcept {
  if (spinning_) return;
  spinning_ = true;
  ++looking_;
  lock_.unlock();
  int64_t now = env::now_ns();
  const int64_t end = now + budget.next(now);
  bool found = false;
  for (; !found && now < end; now = env::now_ns()) {
    for (int i = 0; i < 8; ++i) cpu_relax();
    found =
        depth_.load(std::memory_order_relaxed) != 0 || stopping_.load(std::memory_order_relaxed);
  }
  found ? budget.found() : budget.in_vain(now);
  lock_.lock();
  --looking_;
  spinning_ = false;
}

// True when nobody woke it for kBlockingIdle.
bool BlockingPool::sleep(os::SpinBudget& budget) noexcept {
  if (stopping_.load(std::memory_order_relaxed)) return false;
  Sleeper self;
  self.next = std::exchange(sleepers_, &self);
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
}

void BlockingPool::stop() noexcept {
  std::unique_lock guard(lock_);
  stopping_.store(true, std::memory_order_relaxed);
  while (Sleeper* sleeper = sleepers_) {
    sleepers_ = sleeper->next;
    ++looking_;
    sleeper->word.store(Sleeper::kWoken, std::memory_order_release);
    os::futex_wake(sleeper->word, 1);
  }
  while (const uint32_t running = running_.load(std::memory_order_relaxed)) {
    guard.unlock();
    os::futex_wait(running_, running, Instant::never());
    guard.lock();
  }
}

void BlockingPool::snapshot(SchedulerSnapshot& out) const {
  std::scoped_lock guard(lock_);
  out.blocking_depth = depth_.load(std::memory_order_relaxed);
  out.blocking_threads = running_.load(std::memory_order_relaxed);
  out.blocking_busy = out.blocking_threads - idle_;
}

}  // namespace zokio::sched
