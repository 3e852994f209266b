// SPDX-License-Identifier: Apache-2.0
#include "rt/current_thread.h"

#include <algorithm>

#include "base/env.h"
#include "zokio/base/assert.h"

namespace zokio {

using sched::Worker;

class CurrentThread::Turn : Pinned {
 public:
  explicit Turn(CurrentThread& owner) : owner_(owner), worker_(*owner.worker_) {
    owner.check_thread();
    worker_.enter();
    if (std::exchange(owner.asleep_, false)) worker_.awake();
    busy_since_ = env::now_ns();
  }
  ~Turn() {
    fall_asleep();
    owner_.asleep_ = true;
    worker_.leave();
  }

  // One task, or a sleep until there may be one; at most until `deadline`.
  void step(Instant deadline) {
    if (worker_.step() != Worker::Step::Idle) return;
    fall_asleep();
    worker_.parker().park(std::min(worker_.sleep_until(), deadline));
    busy_since_ = env::now_ns();
    worker_.awake();
  }

 private:
  void fall_asleep() {
    worker_.fall_asleep();
    worker_.stats().busy_ns.add(static_cast<uint64_t>(env::now_ns() - busy_since_));
  }

  CurrentThread& owner_;
  Worker& worker_;
  int64_t busy_since_;
};

CurrentThread::CurrentThread(sched::Scheduler& scheduler)
    : scheduler_(scheduler), thread_(std::this_thread::get_id()), worker_(&scheduler.seat()) {}

void CurrentThread::check_thread() const {
  ZOKIO_CHECK(std::this_thread::get_id() == thread_,
              "a current-thread runtime is driven and stopped by the thread that created it");
  ZOKIO_CHECK(task::context().executor == nullptr, "this thread works for a runtime already");
}

Result<void> CurrentThread::start() {
  worker_->order_reactor(Worker::ReactorOrder::Open);
  {
    Turn turn(*this);
    static_cast<void>(worker_->step());  // carries the order out, and finds nothing else to do
  }
  return worker_->reactor_order_by(Instant::now());
}

void CurrentThread::run_until(const task::Promise& task) {
  ZOKIO_CHECK(worker_ != nullptr, "the runtime was shut down");
  Turn turn(*this);
  while (task.link.load(std::memory_order_acquire) != task::kFinished) turn.step(Instant::never());
}

bool CurrentThread::cancel_all(Instant deadline) {
  if (worker_ == nullptr) return true;
  // Each call cancels what is there and says whether anything is; it does not wait.
  while (!scheduler_.cancel_all(Instant::now())) {
    if (Instant::now() >= deadline) return false;
    Turn turn(*this);
    turn.step(deadline);
  }
  return true;
}

void CurrentThread::stop() {
  if (worker_ == nullptr) return;
  if (worker_->has_reactor()) {
    worker_->order_reactor(Worker::ReactorOrder::Retire);
    const Instant deadline = Instant::now() + sched::kRetireDeadline;
    while (worker_->has_reactor()) {
      ZOKIO_CHECK(Instant::now() < deadline, "an operation is still in flight");
      Turn turn(*this);
      turn.step(deadline);
    }
  }
  worker_->enter();
  if (asleep_) worker_->awake();
  worker_->end();
  worker_->quit();
  ZOKIO_CHECK(worker_->join_by(Instant::now()), "the worker ended");
  worker_ = nullptr;
}

}  // namespace zokio
