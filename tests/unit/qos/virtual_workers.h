// SPDX-License-Identifier: Apache-2.0
#pragma once

// A scheduler whose workers run side by side in virtual time on one thread: each has a clock of its
// own, which only its tasks move, and the one that is furthest behind takes the next step. So what
// a test measures does not depend on the machine. Links the simulation build.

#include <algorithm>
#include <memory>
#include <vector>

#include "base/env.h"
#include "sched/scheduler.h"
#include "zokio/group.h"

namespace zokio::qos {

class VirtualWorkers final : env::Oracle {
 public:
  explicit VirtualWorkers(unsigned workers) : clocks_(workers, 1'000'000'000) {
    env::set_oracle(this);
    scheduler_ = std::make_unique<sched::Scheduler>(sched::SchedulerOptions{}, nullptr);
    EXPECT_TRUE(scheduler_->grow(workers).has_value());
    for (unsigned slot = 0; slot < workers; ++slot) {
      scheduler_->slot(slot)->enter();
      scheduler_->slot(slot)->awake();
      scheduler_->slot(slot)->leave();
    }
  }
  // Lets every task run to its end first, so what they touch has to outlive the world.
  ~VirtualWorkers() {
    stop = true;
    while (scheduler_->snapshot().tasks_alive != 0) step();
    for (unsigned slot = 0; slot < clocks_.size(); ++slot) {
      scheduler_->slot(slot)->enter();
      scheduler_->slot(slot)->end();
      scheduler_->slot(slot)->quit();
      scheduler_->slot(slot)->join_by(Instant::never());
    }
    scheduler_.reset();
    env::set_oracle(nullptr);
  }

  Group group(const GroupOptions& options) {
    auto gate = scheduler_->groups().create(options);
    EXPECT_TRUE(gate.has_value());
    return Group(*gate);
  }
  template <class F, class... A>
  auto spawn(F f, A... args) {
    return internal::spawn_on(*scheduler_, "", std::move(f), std::move(args)...);
  }

  // The current task computes for so long.
  void spend(Duration d) { clocks_[current_] += d.count(); }
  void run_for(Duration d) {
    const int64_t end = least() + d.count();
    while (least() < end) step();
  }
  bool stop = false;  // what tasks look at

 private:
  int64_t now_ns() noexcept override { return clocks_[current_]; }
  uint32_t choose(env::Choice, uint32_t n) noexcept override { return rng_.below(n); }
  bool fault(env::Fault) noexcept override { return false; }

  int64_t least() const { return *std::min_element(clocks_.begin(), clocks_.end()); }
  void step() {
    current_ =
        static_cast<unsigned>(std::min_element(clocks_.begin(), clocks_.end()) - clocks_.begin());
    sched::Worker& worker = *scheduler_->slot(current_);
    worker.enter();
    // Nobody sleeps here: who finds nothing looks again a little later.
    const int64_t before = clocks_[current_];
    if (worker.step() == sched::Worker::Step::Idle || clocks_[current_] == before)
      clocks_[current_] += 100;
    worker.leave();
  }

  std::vector<int64_t> clocks_;
  unsigned current_ = 0;
  Rng rng_{7};
  std::unique_ptr<sched::Scheduler> scheduler_;
};

}  // namespace zokio::qos
