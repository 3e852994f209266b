// SPDX-License-Identifier: Apache-2.0
#pragma once

// A whole scheduler on one thread: a seed decides which worker takes the next step, whom a thief
// looks at, who is woken, when a resize happens and which thread fails to start; time jumps to the
// next timer when nobody can run. The same seed gives the same run, down to the hash of its trace.
//
// With a made-up kernel (kernel/) some workers host reactors, which come and go. One worker at a
// time sleeps for real, inside the kernel, whose calls let the others go on meanwhile; the rest of
// the sleepers only lie down, and look into their reactors when nobody else has anything to do.
//
// After every step: work that is ready has somebody awake to run it, or a wake-up on its way.
// At the end: every task that was spawned has ended, exactly once.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "io/driver.h"
#include "kernel/kernel.h"
#include "sched/scheduler.h"
#include "zokio/spawn.h"

namespace zokio::sim {

struct WorldOptions {
  uint64_t seed = 1;
  unsigned workers = 3;
  unsigned workers_max = 6;          // resizes go up to this
  uint32_t resize_one_in = 0;        // steps between resizes, on average; 0: none
  uint32_t thread_fault_one_in = 0;  // starts that fail, on average; 0: none
  uint64_t steps_max = 2'000'000;
  Kernel* kernel = nullptr;  // null: no I/O
  Backend backend = Backend::Auto;
  unsigned reactors = 1;                                // at most as many as workers
  std::function<void(uint64_t)> before_step = nullptr;  // with the number of the step
  uint32_t reactor_one_in = 0;  // steps between reactors that come or go, on average; 0: none
};

class World final : env::Oracle {
 public:
  explicit World(WorldOptions options);
  ~World();

  template <class F, class... A>
  auto spawn(F f, A... args) {
    return internal::spawn_on(*scheduler_, "", std::move(f), std::move(args)...);
  }

  // Steps until no task is left. The text of the first violation; empty when all is well.
  std::string run();

  // Who waits for what, for the report of a violation.
  std::string describe();
  uint64_t trace_hash() const { return hash_; }
  uint64_t steps() const { return steps_; }
  uint64_t resizes() const { return resizes_; }
  // Workers that the control strand retired without waking them.
  uint64_t retired_asleep() const { return retired_asleep_; }
  sched::Scheduler& scheduler() { return *scheduler_; }
  io::Driver* driver() { return driver_.get(); }
  uint64_t reactor_changes() const { return reactor_changes_; }

 private:
  struct Seat {
    bool drowsy = false;  // found nothing, and is not in the set of sleepers yet
    bool asleep = false;
    bool seated = false;  // the worker runs
    bool inside = false;  // asleep in a call, or in the middle of something that sleeps
    bool parked = false;  // asleep for good: somebody has to wake it
    bool stale = false;   // asleep with a reactor that was not looked at since something happened
    // Read when it fell asleep, as a real sleep does: a timer that comes later needs a wake-up.
    Instant deadline = Instant::never();
  };

  // env::Oracle.
  int64_t now_ns() noexcept override { return now_ns_; }
  uint32_t choose(env::Choice what, uint32_t n) noexcept override;
  bool fault(env::Fault what) noexcept override;
  bool later(void (*call)(void*), void* argument) noexcept override;

  void note(uint64_t event) noexcept;
  void seat_new_workers();
  void end_kept_thread();
  bool can_step(unsigned slot);
  void step(unsigned slot);
  bool jump_to_next_timer();
  void maybe_resize();
  void maybe_change_reactors();
  void open_kernel();
  void close_reactors();
  void tick();
  void look_again();
  bool lie_down(unsigned slot);
  bool go_on();
  bool sleep_inside(const Kernel::Ready& ready, int64_t deadline);
  std::string reactor_text(unsigned slot);
  bool will_wake(unsigned slot);
  std::string check();

  WorldOptions options_;
  Rng rng_;
  int64_t now_ns_ = 1'000'000'000;
  uint64_t hash_ = 0xcbf29ce484222325;
  uint64_t steps_ = 0;
  uint64_t resizes_ = 0;
  uint64_t retired_asleep_ = 0;
  uint64_t reactor_changes_ = 0;
  unsigned inside_ = 0;  // workers that sleep in a call
  uint64_t changes_seen_ = 0;
  bool running_ = false;  // run() is on
  std::string violation_;
  std::vector<Seat> seats_;
  std::unique_ptr<io::Driver> driver_;
  std::unique_ptr<sched::Scheduler> scheduler_;
};

}  // namespace zokio::sim
