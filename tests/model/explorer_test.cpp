// SPDX-License-Identifier: Apache-2.0
//
// The explorer itself: the litmus tests of the memory model, with what must be seen and what must
// never be, and one program for each kind of failure.

#include <gtest/gtest.h>

#include <memory>
#include <mutex>

#include "model/explorer.h"
#include "os/futex.h"
#include "zokio/base/fence.h"
#include "zokio/base/spin_lock.h"

namespace zokio::model {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kSeqCst = std::memory_order_seq_cst;

constexpr Options kLitmus{
    .preemptions = 3, .stale = 4, .spurious = 1, .random = 300, .search_deeper = false};

struct Words {
  Atomic<int> x{0};
  Atomic<int> y{0};
  int a = -1, b = -1;
};

// A bit for each outcome (a, b) with values 0 and 1.
constexpr unsigned bit(int a, int b) {
  return 1u << (2 * a + b);
}

unsigned store_buffering(std::memory_order store, std::memory_order load, bool fenced) {
  unsigned seen = 0;
  EXPECT_HOLDS(explore("store buffering", kLitmus, [&](Execution& run) {
    Words w;
    run.thread("one", [&] {
      w.x.store(1, store);
      if (fenced) full_fence();
      w.a = w.y.load(load);
    });
    run.thread("two", [&] {
      w.y.store(1, store);
      if (fenced) full_fence();
      w.b = w.x.load(load);
    });
    run.go();
    seen |= bit(w.a, w.b);
  }));
  return seen;
}

TEST(Explorer, StoreBuffering) {
  constexpr unsigned kAll = bit(0, 0) | bit(0, 1) | bit(1, 0) | bit(1, 1);
  EXPECT_EQ(store_buffering(kRelaxed, kRelaxed, false), kAll);
  EXPECT_EQ(store_buffering(kRelease, kAcquire, false), kAll);
  EXPECT_EQ(store_buffering(kSeqCst, kAcquire, false), kAll);
  EXPECT_EQ(store_buffering(kSeqCst, kSeqCst, false), kAll & ~bit(0, 0));
  EXPECT_EQ(store_buffering(kRelaxed, kRelaxed, true), kAll & ~bit(0, 0));
}

// A read-modify-write is no fence: seq_cst does not order what follows it on other words.
TEST(Explorer, AReadModifyWriteIsNoFence) {
  unsigned seen = 0;
  EXPECT_HOLDS(explore("rmw then load", kLitmus, [&](Execution& run) {
    Words w;
    run.thread("one", [&] {
      w.x.fetch_add(1, kSeqCst);
      w.a = w.y.load(kAcquire);
    });
    run.thread("two", [&] {
      w.y.store(1, kRelease);
      full_fence();
      w.b = w.x.load(kRelaxed);
    });
    run.go();
    seen |= bit(w.a, w.b);
  }));
  EXPECT_NE(seen & bit(0, 0), 0u);
}

unsigned message_passing(std::memory_order store, std::memory_order load) {
  unsigned seen = 0;
  EXPECT_HOLDS(explore("message passing", kLitmus, [&](Execution& run) {
    Words w;
    run.thread("one", [&] {
      w.x.store(1, kRelaxed);
      w.y.store(1, store);
    });
    run.thread("two", [&] {
      w.a = w.y.load(load);
      w.b = w.x.load(kRelaxed);
    });
    run.go();
    seen |= bit(w.a, w.b);
  }));
  return seen;
}

TEST(Explorer, MessagePassing) {
  EXPECT_NE(message_passing(kRelaxed, kAcquire) & bit(1, 0), 0u);
  EXPECT_NE(message_passing(kRelease, kRelaxed) & bit(1, 0), 0u);
  EXPECT_EQ(message_passing(kRelease, kAcquire) & bit(1, 0), 0u);
}

TEST(Explorer, AThreadNeverSeesAnOlderValueThanBefore) {
  unsigned seen = 0;
  EXPECT_HOLDS(explore("coherence", kLitmus, [&](Execution& run) {
    Words w;
    run.thread("one", [&] { w.x.store(1, kRelaxed); });
    run.thread("two", [&] {
      w.a = w.x.load(kRelaxed);
      w.b = w.x.load(kRelaxed);
    });
    run.go();
    seen |= bit(w.a, w.b);
  }));
  EXPECT_EQ(seen, bit(0, 0) | bit(0, 1) | bit(1, 1));
}

// Independent reads of independent writes: two readers agree on the order only under seq_cst.
bool readers_disagree(std::memory_order store, std::memory_order load) {
  bool seen = false;
  EXPECT_HOLDS(explore("independent reads", kLitmus, [&](Execution& run) {
    Words w;
    int c = 0, d = 0;
    run.thread("x", [&] { w.x.store(1, store); });
    run.thread("y", [&] { w.y.store(1, store); });
    run.thread("xy", [&] {
      w.a = w.x.load(load);
      w.b = w.y.load(load);
    });
    run.thread("yx", [&] {
      c = w.y.load(load);
      d = w.x.load(load);
    });
    run.go();
    seen |= w.a == 1 && w.b == 0 && c == 1 && d == 0;
  }));
  return seen;
}

TEST(Explorer, IndependentReads) {
  EXPECT_TRUE(readers_disagree(kRelease, kAcquire));
  EXPECT_FALSE(readers_disagree(kSeqCst, kSeqCst));
}

// The reader that sees the addition has what was written before the store.
TEST(Explorer, AReleaseSequenceGoesThroughReadModifyWrites) {
  EXPECT_HOLDS(explore("release sequence", kLitmus, [](Execution& run) {
    Words w;
    run.thread("writer", [&] {
      w.a = 7;
      w.x.store(2, kRelease);
    });
    run.thread("adder", [&] { w.x.fetch_add(1, kRelaxed); });
    run.thread("reader", [&] {
      if (w.x.load(kAcquire) == 3) MODEL_CHECK(w.a == 7, "the value is there");
    });
    run.go();
  }));
}

// --- What is found ------------------------------------------------------------------------------

TEST(Explorer, FindsARace) {
  EXPECT_FOUND(explore("race", kLitmus,
                       [](Execution& run) {
                         Words w;
                         run.thread("writer", [&] {
                           w.a = 1;
                           w.x.store(1, kRelaxed);
                         });
                         run.thread("reader", [&] {
                           if (w.x.load(kAcquire) == 1) w.b = w.a;
                         });
                         run.go();
                       }),
               "data race");
}

TEST(Explorer, FindsARaceOnAVar) {
  EXPECT_FOUND(explore("race on a Var", kLitmus,
                       [](Execution& run) {
                         Var<int> shared(0);
                         run.thread("writer", [&] { shared.set(1); });
                         run.thread("reader", [&] { static_cast<void>(shared.get()); });
                         run.go();
                       }),
               "explorer_test.cpp");
}

TEST(Explorer, SeesTheOrderThatReleaseAndAcquireGive) {
  EXPECT_HOLDS(explore("no race", kLitmus, [](Execution& run) {
    Words w;
    run.thread("writer", [&] {
      w.a = 1;
      w.x.store(1, kRelease);
    });
    run.thread("reader", [&] {
      if (w.x.load(kAcquire) == 1) MODEL_CHECK(w.a == 1, "the value is there");
    });
    run.go();
  }));
}

TEST(Explorer, FindsADeadlock) {
  EXPECT_FOUND(explore("two locks", kLitmus,
                       [](Execution& run) {
                         std::mutex one, two;
                         run.thread("a", [&] { std::scoped_lock l(one), m(two); });
                         run.thread("b", [&] {
                           two.lock();
                           one.lock();
                           one.unlock();
                           two.unlock();
                         });
                         run.go();
                       }),
               "deadlock");
}

TEST(Explorer, FindsALostWakeUp) {
  EXPECT_FOUND(explore("futex without a second look", kLitmus,
                       [](Execution& run) {
                         Atomic<uint32_t> word{0};
                         Atomic<bool> ready{false};
                         run.thread("sleeper", [&] {
                           if (!ready.load()) os::futex_wait(word, 0, Instant::never());
                         });
                         run.thread("waker", [&] {
                           ready.store(true);
                           os::futex_wake(word, 1);
                         });
                         run.go();
                       }),
               "deadlock");
}

TEST(Explorer, FindsALivelock) {
  EXPECT_FOUND(explore("a flag nobody sets", kLitmus,
                       [](Execution& run) {
                         Atomic<bool> flag{false};
                         run.thread("waiter", [&] {
                           for (int i = 0; !flag.load(); ++i) zokio::spin_pause(i);
                         });
                         run.go();
                       }),
               "livelock");
}

TEST(Explorer, FindsUseAfterFreeAndLeaks) {
  EXPECT_FOUND(explore("use after free", kLitmus,
                       [](Execution& run) {
                         auto* word = new Atomic<int>(0);
                         Atomic<int> gone{0};
                         run.thread("freer", [&] {
                           delete word;
                           gone.store(1, kRelease);
                         });
                         run.thread("user", [&] {
                           if (gone.load(kAcquire) == 1) word->store(1);
                         });
                         run.go();
                       }),
               "freed memory");
  EXPECT_FOUND(explore("leak", kLitmus,
                       [](Execution& run) {
                         static int* volatile kept;
                         run.thread("leaker", [&] { kept = new int(1); });
                         static_cast<void>(kept);
                         run.go();
                       }),
               "memory is left");
}

TEST(Explorer, FindsAPanicAndAFailedCheck) {
  EXPECT_FOUND(explore("check", kLitmus,
                       [](Execution& run) {
                         Atomic<int> word{0};
                         run.thread("a", [&] { word.store(1); });
                         run.thread("b", [&] { MODEL_CHECK(word.load() == 0, "zero"); });
                         run.go();
                       }),
               "zero does not hold");
}

TEST(Explorer, LocksExclude) {
  EXPECT_HOLDS(explore("spin lock", kLitmus, [](Execution& run) {
    SpinLock lock;
    int shared = 0;
    for (const char* name : {"a", "b", "c"})
      run.thread(name, [&] {
        std::scoped_lock guard(lock);
        ++shared;
      });
    run.go();
    MODEL_CHECK(shared == 3, "every turn counts");
  }));
  EXPECT_HOLDS(explore("mutex", kLitmus, [](Execution& run) {
    std::mutex lock;
    int shared = 0;
    for (const char* name : {"a", "b", "c"})
      run.thread(name, [&] {
        std::scoped_lock guard(lock);
        ++shared;
      });
    run.go();
    MODEL_CHECK(shared == 3, "every turn counts");
  }));
}

// The count of a shared_ptr is a std::atomic of a library.
TEST(Explorer, FollowsSharedPointers) {
  EXPECT_HOLDS(explore("shared_ptr", kLitmus, [](Execution& run) {
    auto one = std::make_shared<int>(0);
    auto two = one;
    run.thread("a", [&] {
      static_cast<void>(*one);
      one.reset();
    });
    run.thread("b", [&] {
      static_cast<void>(*two);
      two.reset();
    });
    run.go();
  }));
}

TEST(Explorer, AFailureCanBeRepeated) {
  const auto program = [](Execution& run) {
    Words w;
    run.thread("one", [&] {
      w.x.store(1, kRelaxed);
      w.a = w.y.load(kRelaxed);
    });
    run.thread("two", [&] {
      w.y.store(1, kRelaxed);
      w.b = w.x.load(kRelaxed);
    });
    run.go();
    MODEL_CHECK(w.a == 1 || w.b == 1, "one of them sees the other");
  };
  const Report first = explore("to be repeated", kLitmus, program);
  ASSERT_TRUE(first.failed);
  ASSERT_GT(first.executions, 1u);
  setenv("ZOKIO_MODEL_REPLAY", first.decisions.c_str(), 1);
  const Report again = explore("repeated", kLitmus, program);
  unsetenv("ZOKIO_MODEL_REPLAY");
  EXPECT_TRUE(again.failed);
  EXPECT_EQ(again.executions, 1u);
  EXPECT_EQ(again.text, first.text);
}

}  // namespace
}  // namespace zokio::model
