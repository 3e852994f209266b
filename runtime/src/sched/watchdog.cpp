// SPDX-License-Identifier: Apache-2.0
#include "sched/watchdog.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/env.h"
#include "os/futex.h"
#include "sched/scheduler.h"
#include "zokio/base/fence.h"
#include "zokio/mem/pools.h"

namespace zokio::sched {

void Watchdog::start() {
#ifndef ZOKIO_SIM
  ThreadView::install_handler();
  thread_ = std::thread([this] { run(); });
#endif
}

void Watchdog::stop() noexcept {
  word_.store(kStopping, std::memory_order_release);
  os::futex_wake(word_, 1);
  if (thread_.joinable()) thread_.join();
}

void Watchdog::wake_up() noexcept {
  uint32_t asleep = kAsleep;
  if (word_.compare_exchange_strong(asleep, kLooking, std::memory_order_acq_rel))
    os::futex_wake(word_, 1);
}

void Watchdog::run() noexcept {
  const std::string name = scheduler_.thread_name() + "-watch";
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  while (word_.load(std::memory_order_acquire) != kStopping) {
    os::futex_wait(word_, kLooking, Instant::now() + kEvery);
    tend_memory();
    if (look() || ran_lately()) continue;
    uint32_t looking = kLooking;
    if (!word_.compare_exchange_strong(looking, kAsleep, std::memory_order_acq_rel)) continue;
    // A worker that woke before the word changed did not see it: look once more.
    full_fence();  // the word before the states; the other side is Worker::awake
    if (look()) {
      word_.compare_exchange_strong(looking = kAsleep, kLooking, std::memory_order_acq_rel);
      continue;
    }
    // What is kept free goes on decaying; after that nothing is due before a worker is awake.
    do {
      os::futex_wait(word_, kAsleep, mem::tend(Instant::now()));
    } while (word_.load(std::memory_order_acquire) == kAsleep);
  }
}

// While workers run: memory that became free since there was nothing to do is seen soon enough.
void Watchdog::tend_memory() noexcept {
  const Instant now = Instant::now();
  if (now < tend_at_) return;
  tend_at_ = std::min(mem::tend(now), now + kTendAgain);
}

// Whether a worker ran a task since one of the last looks.
bool Watchdog::ran_lately() noexcept {
  quiet_looks_ = ran_ ? 0 : quiet_looks_ + 1;
  return quiet_looks_ < kQuietLooks;
}

bool Watchdog::look() noexcept {
  const unsigned slots = scheduler_.slots_in_use();
  const int64_t now_ns = env::now_ns();
  polls_seen_.resize(slots);
  bool awake = false;
  bool stuck = false;
  ran_ = false;
  unsigned stalled = 0;
  for (unsigned i = 0; i < slots; ++i) {
    Worker& worker = *scheduler_.slot(i);
    const uint64_t polls = worker.polls();
    const bool same = std::exchange(polls_seen_[i], polls) == polls;
    ran_ |= !same;
    const WorkerState state = worker.state();
    if (state != WorkerState::Running && state != WorkerState::Retiring) {
      stalls_.forget(i);
      continue;
    }
    if (stalls_.look(worker, now_ns)) ++stalled;
    if (state != WorkerState::Running) continue;
    awake = true;
    if (!same || policy_.kind == Compensation::None) continue;
    stuck = true;
    worker.found_stuck();
  }
  const bool has_work = scheduler_.has_work();
  // Work that was there at the last look, too, while somebody sleeps.
  if (has_work && (had_work_ || stuck)) scheduler_.wake_one();
  compensate_for(stalled, has_work && had_work_);
  had_work_ = has_work;
  return awake || has_work || stalled > 0 || extra_ > 0;
}

// A worker more when one is stuck and what is ready waits all the same; one less as soon as fewer
// are stuck.
void Watchdog::compensate_for(unsigned stuck, bool has_work) {
  if (policy_.kind != Compensation::ExtraWorker) return;
  const unsigned wanted = std::min(stuck, policy_.max_extra);
  if (wanted == extra_ || (wanted > extra_ && !has_work)) return;
  extra_ = wanted;
  policy_.request(wanted);
}

}  // namespace zokio::sched
