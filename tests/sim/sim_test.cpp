// SPDX-License-Identifier: Apache-2.0
//
// A random program on a random schedule, for many seeds. ZOKIO_SIM_SEED=n runs one seed,
// ZOKIO_SIM_SEEDS=n that many.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <numeric>

#include "world.h"
#include "zokio/fork.h"
#include "zokio/group.h"
#include "zokio/join.h"
#include "zokio/mem/pools.h"
#include "zokio/scope.h"
#include "zokio/select.h"
#include "zokio/sync/broadcast.h"
#include "zokio/sync/event.h"
#include "zokio/sync/mpsc.h"
#include "zokio/sync/mutex.h"
#include "zokio/sync/notify.h"
#include "zokio/sync/oneshot.h"
#include "zokio/sync/semaphore.h"
#include "zokio/time/sleep.h"
#include "zokio/timeout.h"

namespace zokio::sim {
namespace {

// What a program leaves behind, to be compared with what it should have.
struct Ledger {
  uint64_t started = 0;
  uint64_t ended = 0;
  uint64_t sum = 0;
  uint64_t expected = 0;
  bool wrong = false;
};

Duration micros(uint32_t n) {
  return std::chrono::microseconds(n);
}

Task<Result<void>> nap(uint32_t us) {
  co_return co_await sleep(micros(us));
}

Task<uint64_t> leaf(Ledger* ledger, uint64_t seed) {
  ++ledger->started;
  Rng rng(seed);
  for (uint32_t i = rng.below(4); i > 0; --i) co_await yield_now();
  if (rng.below(3) == 0) {
    Result<void> slept = co_await sleep(micros(rng.below(5000)));
    if (!slept.has_value()) ledger->wrong = true;  // nobody cancels a leaf
  }
  ++ledger->ended;
  co_return seed % 1000;
}

Task<uint64_t> tree(Ledger* ledger, uint64_t seed, unsigned depth) {
  Rng rng(seed);
  if (depth == 0) co_return co_await leaf(ledger, seed);
  std::vector<JoinHandle<uint64_t>> children;
  for (uint32_t i = 1 + rng.below(4); i > 0; --i)
    children.push_back(zokio::spawn(tree, ledger, rng.next(), depth - 1));
  uint64_t sum = 0;
  for (auto& child : children) {
    auto value = co_await child;
    if (!value.has_value())
      ledger->wrong = true;
    else
      sum += *value;
  }
  co_return sum;
}

// The same sum without tasks.
uint64_t tree_sum(uint64_t seed, unsigned depth) {
  if (depth == 0) return seed % 1000;
  Rng rng(seed);
  uint64_t sum = 0;
  for (uint32_t i = 1 + rng.below(4); i > 0; --i) sum += tree_sum(rng.next(), depth - 1);
  return sum;
}

Task<void> trees(Ledger* ledger, uint64_t seed) {
  ledger->expected += tree_sum(seed, 4);
  ledger->sum += co_await tree(ledger, seed, 4);
}

// The tree once more, by forks: some leaves wait, most end in place.
Task<uint64_t> forked_tree(Ledger* ledger, uint64_t seed, unsigned depth) {
  if (depth == 0) {
    if (seed % 4 == 0) co_return co_await leaf(ledger, seed);
    co_return seed % 1000;
  }
  Rng rng(seed);
  Branches<uint64_t, 4> branches;
  for (uint32_t i = 1 + rng.below(4); i > 0; --i)
    branches.add(forked_tree(ledger, rng.next(), depth - 1));
  co_await branches.join();
  uint64_t sum = 0;
  for (unsigned i = 0; i < branches.size(); ++i) sum += branches[i];
  co_return sum;
}

Task<void> forked_trees(Ledger* ledger, uint64_t seed) {
  ledger->expected += tree_sum(seed, 5);
  ledger->sum += co_await forked_tree(ledger, seed, 5);
}

// Forks that are cancelled while their branches wait; each branch says so.
Task<Result<int>> forked_waits(uint64_t seed, unsigned depth) {
  Rng rng(seed);
  if (depth == 0) {
    Result<void> slept = co_await sleep(std::chrono::hours(1));
    co_return !slept.has_value() && slept.error().code == Errc::Cancelled ? 1 : 0;
  }
  auto inner = [](uint64_t s, unsigned d) -> Task<Result<int>> {
    auto [a, b] = co_await zokio::fork(forked_waits(s, d - 1), forked_waits(s + 1, d - 1));
    co_return a.value_or(-100) + b.value_or(-100);
  };
  // The outer request may come first, and the outcome is the same.
  if (rng.below(4) != 0) co_return co_await inner(seed, depth);
  auto cut = co_await with_timeout(inner(seed, depth), micros(rng.below(3000)));
  co_return cut.value_or(-100);
}

Task<void> forked_cancels(Ledger* ledger, uint64_t seed) {
  for (unsigned depth = 0; depth < 4; ++depth) {
    ++ledger->started;
    auto task = zokio::spawn(forked_waits, seed + depth, depth);
    co_await nap(static_cast<uint32_t>(seed % 2500));
    task.cancel();
    auto ended = co_await task;
    if (!ended.has_value() || *ended != 1 << depth) ledger->wrong = true;
    ++ledger->ended;
  }
}

// Cancels at a random moment what waits in a random way, and sees it end.
Task<Result<void>> wait_somehow(uint64_t seed, sync::Event* event, sync::Semaphore* semaphore) {
  Rng rng(seed);
  while (true) {
    switch (rng.below(5)) {
      case 0:
        ZOKIO_CO_CHECKED(co_await sleep(micros(rng.below(3000))));
        break;
      case 1:
        ZOKIO_CO_CHECKED(co_await event->wait());
        break;
      case 2: {
        ZOKIO_CO_TRY(auto permit, co_await semaphore->acquire());
        ZOKIO_CO_CHECKED(co_await sleep(micros(rng.below(500))));
        break;
      }
      case 3: {
        auto cut = co_await with_timeout(nap(1 + rng.below(4000)), micros(rng.below(4000)));
        if (!cut.has_value() && cut.error().code == Errc::Cancelled) co_return fail(cut.error());
        break;
      }
      case 4: {
        auto won = co_await select(nap(rng.below(2000)), nap(rng.below(2000)));
        const bool cut = won.index == 0 ? !std::get<0>(won.outcome).has_value()
                                        : !std::get<1>(won.outcome).has_value();
        if (cut) co_return fail(Errc::Cancelled, "select");
        break;
      }
    }
  }
}

Task<void> cancel_storm(Ledger* ledger, uint64_t seed) {
  Rng rng(seed);
  sync::Event event;
  sync::Semaphore semaphore(1 + rng.below(2));
  for (int round = 0; round < 6; ++round) {
    std::vector<JoinHandle<Result<void>>> tasks;
    for (uint32_t i = 1 + rng.below(4); i > 0; --i) {
      ++ledger->started;
      tasks.push_back(zokio::spawn(wait_somehow, rng.next(), &event, &semaphore));
    }
    if (rng.below(2) == 0) co_await nap(rng.below(4000));
    if (rng.below(3) == 0) event.set();
    for (auto& task : tasks) task.cancel();
    for (auto& task : tasks) {
      auto ended = co_await task;
      if (ended.has_value() || ended.error().code != Errc::Cancelled) ledger->wrong = true;
      ++ledger->ended;
    }
    event.reset();
  }
}

Task<void> pass_on(sync::OneshotReceiver<int> from, sync::OneshotSender<int> to) {
  auto got = co_await from.recv();
  to.send(got.has_value() ? *got + 1 : -1'000'000);
}

// A value through a chain of tasks that were started in random order of readiness.
Task<void> relay(Ledger* ledger, uint64_t seed) {
  constexpr int kLength = 30;
  Rng rng(seed);
  auto [first, next] = sync::oneshot<int>();
  std::vector<JoinHandle<void>> links;
  for (int i = 0; i < kLength; ++i) {
    auto [sender, receiver] = sync::oneshot<int>();
    links.push_back(zokio::spawn(pass_on, std::move(next), std::move(sender)));
    next = std::move(receiver);
    if (rng.below(4) == 0) co_await yield_now();
  }
  first.send(0);
  auto last = co_await next.recv();
  if (!last.has_value() || *last != kLength) ledger->wrong = true;
  for (auto& link : links) co_await link;
}

Task<Result<void>> failing_body(Scope& scope, Ledger* ledger, uint64_t seed) {
  Rng rng(seed);
  for (uint32_t i = rng.below(5); i > 0; --i) scope.spawn(nap, 1'000'000u).detach();
  ++ledger->started;
  scope
      .spawn(
          [](uint32_t us) -> Task<Result<void>> {
            ZOKIO_CO_CHECKED(co_await sleep(micros(us)));
            co_return fail(Errc::DataLoss, "planned");
          },
          rng.below(1000))
      .detach();
  co_return co_await sleep(micros(1'000'000));
}

Task<void> failing_scopes(Ledger* ledger, uint64_t seed) {
  Rng rng(seed);
  for (int i = 0; i < 5; ++i) {
    auto ended = co_await with_scope(failing_body, ledger, rng.next());
    if (ended.has_value() || ended.error().code != Errc::DataLoss) ledger->wrong = true;
    ++ledger->ended;
  }
}

Task<void> send_all(sync::MpscSender<uint64_t> argument, Ledger* ledger, uint64_t seed) {
  auto sender = std::move(argument);  // goes before the handle of this task does
  Rng rng(seed);
  for (uint32_t i = rng.below(30); i > 0; --i) {
    const uint64_t value = rng.below(100);
    auto sent = co_await sender.send(value);
    if (sent.has_value()) ledger->expected += value;
    if (!sent.has_value() && sent.error().code != Errc::Cancelled) ledger->wrong = true;
    if (rng.below(4) == 0) co_await yield_now();
  }
}

// Senders, some of which are cancelled, into a small channel: what was sent is received.
Task<void> channel(Ledger* ledger, uint64_t seed) {
  Rng rng(seed);
  auto [sender, receiver] = sync::mpsc<uint64_t>(1 + rng.below(4));
  std::vector<JoinHandle<void>> tasks;
  for (uint32_t i = 1 + rng.below(4); i > 0; --i)
    tasks.push_back(zokio::spawn(send_all, sync::MpscSender<uint64_t>(sender), ledger, rng.next()));
  {
    auto gone = std::move(sender);
  }
  for (uint32_t taken = 0;; ++taken) {
    auto value = co_await receiver.recv();
    if (!value.has_value()) break;
    ledger->sum += *value;
    if (taken == 3) tasks.front().cancel();
  }
  for (auto& task : tasks) co_await task;
}

struct Turns {
  sync::Mutex mutex;
  sync::Notify notify;
  bool inside = false;
};

Task<void> take_turns(Turns* turns, Ledger* ledger, uint64_t seed) {
  Rng rng(seed);
  for (int i = 0; i < 10; ++i) {
    auto guard = co_await turns->mutex.lock();
    if (!guard.has_value()) co_return;  // cancelled
    if (std::exchange(turns->inside, true)) ledger->wrong = true;
    if (rng.below(2) == 0) co_await yield_now();
    turns->inside = false;
    turns->notify.notify_one();
  }
}

// Tasks under a mutex, of which the first is cancelled, and one that is told of each turn.
Task<void> mutexes(Ledger* ledger, uint64_t seed) {
  Rng rng(seed);
  Turns turns;
  std::vector<JoinHandle<void>> tasks;
  for (uint32_t i = 2 + rng.below(4); i > 0; --i)
    tasks.push_back(zokio::spawn(take_turns, &turns, ledger, rng.next()));
  auto told = co_await turns.notify.wait();
  if (!told.has_value()) ledger->wrong = true;
  tasks.front().cancel();
  for (auto& task : tasks) co_await task;
  if (turns.mutex.is_locked()) ledger->wrong = true;
}

Task<uint64_t> listen(sync::BroadcastReceiver<uint64_t> receiver) {
  uint64_t heard = 0;
  while (true) {
    auto value = co_await receiver.recv();
    if (!value.has_value() && value.error().missed == 0) co_return heard;
    heard += value.has_value() ? 1 : value.error().missed;
  }
}

Task<void> broadcasts(Ledger* ledger, uint64_t seed) {
  Rng rng(seed);
  const uint64_t count = rng.below(40);
  auto [sender, receiver] = sync::broadcast<uint64_t>(4);
  std::vector<JoinHandle<uint64_t>> listeners;
  for (uint32_t i = 1 + rng.below(3); i > 0; --i)
    listeners.push_back(zokio::spawn(listen, sender.subscribe()));
  for (uint64_t i = 0; i < count; ++i) {
    sender.send(i);
    if (rng.below(3) == 0) co_await yield_now();
  }
  {
    auto gone = std::move(sender);
  }
  for (auto& listener : listeners) {
    auto heard = co_await listener;
    if (!heard.has_value() || *heard != count) ledger->wrong = true;
  }
}

struct Outcomes {
  std::string violation;
  uint64_t hash = 0;
  uint64_t steps = 0;
  uint64_t resizes = 0;
  uint64_t retired_asleep = 0;
};

Outcomes run_seed(uint64_t seed) {
  WorldOptions options;
  options.seed = seed;
  options.workers = 1 + static_cast<unsigned>(seed % 4);
  options.resize_one_in = seed % 3 == 0 ? 0 : 60;
  options.thread_fault_one_in = seed % 5 == 0 ? 4 : 0;
  World world(options);
  Ledger ledger;
  world.spawn(trees, &ledger, seed * 31 + 1).detach();
  world.spawn(forked_trees, &ledger, seed * 61 + 7).detach();
  world.spawn(forked_cancels, &ledger, seed * 67 + 8).detach();
  world.spawn(cancel_storm, &ledger, seed * 37 + 2).detach();
  world.spawn(relay, &ledger, seed * 41 + 3).detach();
  world.spawn(failing_scopes, &ledger, seed * 43 + 4).detach();
  world.spawn(channel, &ledger, seed * 47 + 5).detach();
  world.spawn(mutexes, &ledger, seed * 53 + 6).detach();
  world.spawn(broadcasts, &ledger, seed * 59 + 7).detach();
  // The same once more in groups; what a task of a group starts is in it, too.
  const auto group_of = [&world](const GroupOptions& group) {
    return Group(*world.scheduler().groups().create(group));
  };
  Group shares = group_of({.shares = 1 + static_cast<unsigned>(seed % 300)});
  Group limited = group_of({.latency = Latency::Interactive, .max_running = 2});
  Group background = group_of({.latency = Latency::Background});
  if (seed % 2 == 0) {
    shares.spawn(trees, &ledger, seed * 47 + 5)->detach();
    shares.spawn(forked_trees, &ledger, seed * 71 + 9)->detach();
    background.spawn(relay, &ledger, seed * 53 + 6)->detach();
    for (uint64_t i = 0; i < 3; ++i) limited.spawn(cancel_storm, &ledger, seed * 59 + i)->detach();
  }
  Outcomes run;
  run.violation = world.run();
  run.hash = world.trace_hash();
  run.steps = world.steps();
  run.resizes = world.resizes();
  run.retired_asleep = world.retired_asleep();
  if (run.violation.empty() && ledger.wrong) run.violation = "an outcome is not what it must be";
  if (run.violation.empty() && ledger.started != ledger.ended)
    run.violation = "started and ended differ";
  if (run.violation.empty() && ledger.sum != ledger.expected) run.violation = "the sums differ";
  return run;
}

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

TEST(Sim, RandomProgramsOnRandomSchedules) {
  const uint64_t one = from_environment("ZOKIO_SIM_SEED", 0);
  const uint64_t first = one != 0 ? one : 1;
  const uint64_t last = one != 0 ? one : from_environment("ZOKIO_SIM_SEEDS", 2000);
  const uint64_t frames = mem::snapshot(mem::PoolId::Frames).objects_in_use;
  uint64_t steps = 0, resizes = 0, retired_asleep = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    const Outcomes run = run_seed(seed);
    ASSERT_EQ(run.violation, "") << "reproduce with ZOKIO_SIM_SEED=" << seed;
    ASSERT_EQ(mem::snapshot(mem::PoolId::Frames).objects_in_use, frames)
        << "frames are left; reproduce with ZOKIO_SIM_SEED=" << seed;
    steps += run.steps;
    resizes += run.resizes;
    retired_asleep += run.retired_asleep;
  }
  std::printf("%llu seeds, %llu steps, %llu resizes, %llu workers retired in their sleep\n",
              static_cast<unsigned long long>(last - first + 1),
              static_cast<unsigned long long>(steps), static_cast<unsigned long long>(resizes),
              static_cast<unsigned long long>(retired_asleep));
  // The storm did happen.
  if (one == 0) EXPECT_GT(resizes, last - first);
  if (one == 0) EXPECT_GT(retired_asleep, (last - first) / 8);
}

// Whatever machine this is and wherever the kernel puts us: who is near whom decides who steals
// from whom.
TEST(Sim, TheMachineIsMadeUp) {
  World world({.workers = 4});
  sched::Scheduler& scheduler = world.scheduler();
  for (unsigned slot = 0; slot < 4; ++slot) {
    scheduler.slot(slot)->enter();
    scheduler.slot(slot)->awake();
    EXPECT_EQ(scheduler.slot(slot)->cpu(), slot);
    scheduler.slot(slot)->fall_asleep();
    scheduler.slot(slot)->leave();
  }
  EXPECT_FALSE(scheduler.one_cache());
  EXPECT_TRUE(scheduler.near(*scheduler.slot(0), *scheduler.slot(1)));
  EXPECT_FALSE(scheduler.near(*scheduler.slot(1), *scheduler.slot(2)));
  EXPECT_TRUE(scheduler.near(*scheduler.slot(2), *scheduler.slot(3)));
}

TEST(Sim, TheSameSeedGivesTheSameTrace) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const Outcomes first = run_seed(seed);
    const Outcomes second = run_seed(seed);
    EXPECT_EQ(first.hash, second.hash) << seed;
    EXPECT_EQ(first.steps, second.steps) << seed;
  }
  EXPECT_NE(run_seed(1).hash, run_seed(2).hash);
}

}  // namespace
}  // namespace zokio::sim
