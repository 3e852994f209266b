// SPDX-License-Identifier: Apache-2.0
//
// mem::ThreadCache between its owner, who parks it around a sleep, and those who empty parked
// caches: nobody uses it at the same time, and whatever order they come in, a cache whose owner
// sleeps is empty once memory was asked back. For the latter park() looks at the epoch twice.

#include <gtest/gtest.h>

#include "mem/thread_cache.h"
#include "model/explorer.h"

namespace zokio::mem {
namespace {

using model::Execution;
using model::explore;

// A class of few blocks in a magazine.
constexpr std::size_t kBytes = std::size_t{64} << 10;
const unsigned kClass = class_of(kBytes);

// Pools outlive an execution, so each one must find them as the one before did: with free blocks.
class ThreadCacheModel : public testing::Test {
 protected:
  ThreadCacheModel() {
    Refusal why{};
    Batch taken;
    for (int i = 0; i < 8; ++i) {
      Batch one = pool(PoolId::Frames).obtain(kClass, 1, false, why);
      taken.push(one.pop());
    }
    pool(PoolId::Frames).give(kClass, taken);
  }
};

FreeBlock* take(ThreadCache& cache) {
  Refusal why{};
  FreeBlock* block = cache.take(PoolId::Frames, kClass, false, why);
  MODEL_CHECK(block != nullptr, "there are free blocks");
  return block;
}

// A cache with blocks in it, and its end.
struct Filled {
  Filled() : cache(acquire_thread_cache()) { cache->put(PoolId::Frames, kClass, take(*cache)); }
  ~Filled() { release_thread_cache(cache); }
  unsigned blocks() const {
    return cache->magazine(static_cast<unsigned>(PoolId::Frames), kClass).count();
  }
  ThreadCache* cache;
};

TEST_F(ThreadCacheModel, ASleeperKeepsNothingThatIsAskedBack) {
  EXPECT_HOLDS(explore("thread_cache: park and trim", {}, [](Execution& run) {
    Filled filled;
    MODEL_CHECK(filled.blocks() > 0, "it has something to give");
    run.thread("owner", [&] { filled.cache->park(); });
    run.thread("trimmer", [&] { empty_caches(); });
    run.go();
    MODEL_CHECK(filled.blocks() == 0, "a parked cache is empty after a trim");
    filled.cache->unpark();
  }));
}

TEST_F(ThreadCacheModel, OneUsesItAtATime) {
  EXPECT_HOLDS(explore("thread_cache: wake up during a trim", {}, [](Execution& run) {
    Filled filled;
    filled.cache->park();
    run.thread("owner", [&] {
      filled.cache->unpark();
      filled.cache->put(PoolId::Frames, kClass, take(*filled.cache));
      filled.cache->park();
    });
    run.thread("trimmer", [&] { empty_caches(); });
    run.go();
    filled.cache->unpark();
  }));
}

TEST_F(ThreadCacheModel, TwoTrimmers) {
  EXPECT_HOLDS(explore("thread_cache: two trims", {}, [](Execution& run) {
    Filled filled;
    run.thread("owner", [&] {
      filled.cache->park();
      filled.cache->unpark();
      filled.cache->put(PoolId::Frames, kClass, take(*filled.cache));
    });
    run.thread("trimmer 1", [&] { empty_caches(); });
    run.thread("trimmer 2", [&] { empty_caches(); });
    run.go();
  }));
}

// The adder raises and looks at the limit, the setter lowers and looks at what is held.
TEST_F(ThreadCacheModel, BudgetsNeverExceedALimitUnseen) {
  EXPECT_HOLDS(explore("budget: add against a lower limit", {}, [](Execution& run) {
    Budget budget;
    bool over = false;
    run.thread("one", [&] { budget.add(10); });
    run.thread("two", [&] { budget.add(10); });
    run.thread("setter", [&] {
      budget.set_limit(15);
      over = budget.over();
    });
    run.go();
    MODEL_CHECK(over || budget.held() <= 15, "the setter sees what the adders were let have");
    MODEL_CHECK(budget.high_water() >= budget.held(), "the most ever held");
  }));
}

}  // namespace
}  // namespace zokio::mem
