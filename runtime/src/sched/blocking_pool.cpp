// SPDX-License-Identifier: Apache-2.0
#include "sched/blocking_pool.h"

#include <pthread.h>

#include <system_error>

#include "base/env.h"
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
  std::scoped_lock guard(mutex_);
  if (stopping_) return false;
  if (depth_ >= idle_ && running_ < threads_max_ && !start_thread() && running_ == 0) return false;
  if (tail_ != nullptr)
    tail_->next = job;
  else
    head_ = job;
  tail_ = job;
  ++depth_;
  ready_.notify_one();
  return true;
#endif
}

bool BlockingPool::start_thread() noexcept {
  if (env::fault(env::Fault::ThreadStart)) return false;
  try {
    std::thread([this, slot = started_] { run_thread(slot); }).detach();
  } catch (const std::system_error&) {
    return false;  // EAGAIN: the threads that run serve the queue
  }
  ++started_;
  ++running_;
  return true;
}

void BlockingPool::run_thread(unsigned slot) noexcept {
  const std::string name = thread_name_ + "-blk-" + std::to_string(slot);
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  std::unique_lock guard(mutex_);
  while (true) {
    if (head_ == nullptr) {
      if (stopping_) break;
      ++idle_;
      const bool timed_out = ready_.wait_for(guard, kBlockingIdle) == std::cv_status::timeout;
      --idle_;
      if (timed_out && head_ == nullptr) break;
      continue;
    }
    task::OffloadJob* job = head_;
    head_ = job->next;
    if (head_ == nullptr) tail_ = nullptr;
    --depth_;
    guard.unlock();
    job->run(job);
    guard.lock();
  }
  --running_;
  // Under the lock: stop() may destroy the pool as soon as it sees zero.
  ended_.notify_all();
}

void BlockingPool::stop() noexcept {
  std::unique_lock guard(mutex_);
  stopping_ = true;
  ready_.notify_all();
  ended_.wait(guard, [this] { return running_ == 0; });
}

void BlockingPool::snapshot(SchedulerSnapshot& out) const {
  std::scoped_lock guard(mutex_);
  out.blocking_depth = depth_;
  out.blocking_threads = running_;
  out.blocking_busy = running_ - idle_;
}

}  // namespace zokio::sched
