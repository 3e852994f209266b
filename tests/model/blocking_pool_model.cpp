// SPDX-License-Identifier: Apache-2.0
//
// sched::BlockingPool and the stack by which jobs come in: each job runs once, or is refused and
// does not run, whoever falls asleep when and whether threads can be had. A job that nobody comes
// for is a deadlock here.

#include <gtest/gtest.h>

#include "model/explorer.h"
#include "os/futex.h"
#include "sched/blocking_pool.h"

namespace zokio::sched {
namespace {

using model::Execution;
using model::explore;
using model::Options;

constexpr Options kShort{.most = 40'000, .random = 5'000};

TEST(JobStackModel, NothingIsLeftBehind) {
  EXPECT_HOLDS(explore("job_stack: two push, one takes and closes", {}, [](Execution& run) {
    JobStack stack;
    task::OffloadJob jobs[3];
    unsigned pushed = 0;
    unsigned taken = 0;
    Atomic<unsigned> accepted{0};
    const auto push = [&](task::OffloadJob* job) {
      if (stack.push(job) == JobStack::Push::Done) accepted.fetch_add(1, std::memory_order_relaxed);
    };
    const auto count = [&](JobLot lot) {
      unsigned n = 0;
      for (task::OffloadJob* job = lot.oldest; job != nullptr; job = job->next) ++n;
      MODEL_CHECK(n == lot.count, "the word counts");
      taken += n;
    };
    run.thread("one", [&] {
      push(&jobs[0]);
      push(&jobs[1]);
    });
    run.thread("other", [&] { push(&jobs[2]); });
    run.thread("taker", [&] {
      count(stack.take_all());
      count(stack.close());
    });
    run.go();
    pushed = accepted.load(std::memory_order_relaxed);
    MODEL_CHECK(taken == pushed, "what was accepted was taken");
    MODEL_CHECK(stack.push(&jobs[0]) == JobStack::Push::Closed, "closed");
  }));
}

struct Job : task::OffloadJob {
  Job() {
    run = [](OffloadJob* job) noexcept {
      auto* self = static_cast<Job*>(job);
      ++self->times;
      self->done->fetch_add(1, std::memory_order_release);
      os::futex_wake(*self->done, 1);
    };
  }
  Atomic<uint32_t>* done = nullptr;
  unsigned times = 0;
  bool refused = false;
};

// Threads that wait until the pool asks for them. One that starts no thread: `threads` is 0.
struct World {
  explicit World(unsigned threads) : pool(1, "model", &start) {
    available = threads;
    called.store(0, std::memory_order_relaxed);
    for (Job& job : jobs) job.done = &done;
  }

  static bool start(BlockingPool&) noexcept {
    if (available == 0) return false;
    called.store(1, std::memory_order_release);
    os::futex_wake(called, 1);
    return true;
  }
  void thread() {
    while (called.load(std::memory_order_acquire) == 0) os::futex_wait(called, 0, Instant::never());
    if (called.load(std::memory_order_acquire) == 1) pool.serve();
  }
  void submit(Job& job) {
    job.refused = !pool.submit(&job);
    if (!job.refused) return;
    done.fetch_add(1, std::memory_order_release);
    os::futex_wake(done, 1);
  }
  // Until so many jobs have run or were refused.
  void await(uint32_t count) {
    for (uint32_t seen = done.load(std::memory_order_acquire); seen < count;
         seen = done.load(std::memory_order_acquire))
      os::futex_wait(done, seen, Instant::never());
  }
  void stop() {
    pool.stop();
    called.fetch_add(2, std::memory_order_release);
    os::futex_wake(called, 1);
  }
  void check() {
    for (Job& job : jobs) MODEL_CHECK(job.times == (job.refused ? 0u : 1u), "it runs once");
  }

  static inline unsigned available = 0;
  static inline Atomic<uint32_t> called{0};
  BlockingPool pool;
  Atomic<uint32_t> done{0};
  Job jobs[3];
};

TEST(BlockingPoolModel, EachJobOnce) {
  EXPECT_HOLDS(explore("blocking: two submitters, one thread", kShort, [](Execution& run) {
    World world(1);
    run.thread("one", [&] {
      world.submit(world.jobs[0]);
      world.submit(world.jobs[1]);
      world.await(3);
      world.stop();
    });
    run.thread("other", [&] { world.submit(world.jobs[2]); });
    run.thread("pool", [&] { world.thread(); });
    run.go();
    world.check();
    MODEL_CHECK(world.done.load(std::memory_order_relaxed) == 3, "all of them");
  }));
}

TEST(BlockingPoolModel, StopsAgainstSubmit) {
  EXPECT_HOLDS(explore("blocking: a submit while the pool stops", kShort, [](Execution& run) {
    World world(1);
    run.thread("one", [&] {
      world.submit(world.jobs[0]);
      world.stop();
    });
    run.thread("other", [&] {
      world.submit(world.jobs[1]);
      world.submit(world.jobs[2]);
    });
    run.thread("pool", [&] { world.thread(); });
    run.go();
    world.check();
  }));
}

TEST(BlockingPoolModel, WithoutThreadsAJobIsRefused) {
  EXPECT_HOLDS(explore("blocking: no thread to be had", kShort, [](Execution& run) {
    World world(0);
    run.thread("one", [&] { world.submit(world.jobs[0]); });
    run.go();
    MODEL_CHECK(world.jobs[0].refused, "there is nobody");
    world.submit(world.jobs[1]);
    world.submit(world.jobs[2]);
    world.stop();
    world.check();
  }));
}

}  // namespace
}  // namespace zokio::sched
