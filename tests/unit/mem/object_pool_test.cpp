// SPDX-License-Identifier: Apache-2.0
#include "zokio/mem/object_pool.h"

#include <array>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "pools_fixture.h"

namespace zokio::mem {
namespace {

using ObjectPoolTest = CachedPoolsTest;

struct Counted {
  explicit Counted(int* alive, int value = 0) : alive_(alive), value_(value) { ++*alive_; }
  ~Counted() { --*alive_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  int* alive_;
  int value_;
};

TEST_F(ObjectPoolTest, MakesAndTakesBack) {
  ObjectPool<Counted> pool;
  int alive = 0;
  {
    auto first = pool.make(&alive, 7);
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ((*first)->value_, 7);
    ObjectPool<Counted>::Handle moved = std::move(*first);
    EXPECT_EQ(*first, nullptr);
    auto second = pool.make(&alive);
    EXPECT_EQ(alive, 2);
    EXPECT_EQ(pool.snapshot().live, 2u);
    EXPECT_EQ(heap().objects_in_use, 2u);
    moved.reset();
    EXPECT_EQ(alive, 1);
    EXPECT_EQ(pool.snapshot().live, 1u);
  }
  EXPECT_EQ(alive, 0);
  const ObjectPoolSnapshot end = pool.snapshot();
  EXPECT_EQ(end.live, 0u);
  EXPECT_EQ(end.made, 2u);
  EXPECT_EQ(end.high_water, 2u);
  EXPECT_EQ(heap().objects_in_use, 0u);
}

TEST_F(ObjectPoolTest, RefusesAtTheBound) {
  ObjectPool<int> pool({.most = 2});
  auto a = pool.make(1);
  auto b = pool.make(2);
  auto refused = pool.make(3);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error(), Error(Errc::ResourceExhausted, "", Detail::Limit));
  EXPECT_EQ(pool.snapshot().refused_most, 1u);
  a->reset();
  EXPECT_TRUE(pool.make(4).has_value());
  EXPECT_EQ(pool.snapshot().high_water, 2u);
}

struct Throws {
  explicit Throws(bool yes) {
    if (yes) throw std::runtime_error("no");
  }
};

TEST_F(ObjectPoolTest, AConstructorThatThrowsLosesNothing) {
  ObjectPool<Throws> pool({.most = 1});
  EXPECT_THROW(static_cast<void>(pool.make(true)), std::runtime_error);
  EXPECT_EQ(pool.snapshot().live, 0u);
  EXPECT_EQ(pool.snapshot().made, 0u);
  EXPECT_EQ(heap().objects_in_use, 0u);
  EXPECT_TRUE(pool.make(false).has_value());
}

template <std::size_t Bytes, std::size_t Alignment>
struct alignas(Alignment) Sized {
  std::array<std::byte, Bytes> bytes;
};

template <class T>
void check_alignment() {
  ObjectPool<T> pool;
  std::vector<typename ObjectPool<T>::Handle> all;
  for (int i = 0; i < 40; ++i) {
    all.push_back(*pool.make());
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(all.back().get()) % alignof(T), 0u)
        << sizeof(T) << " " << alignof(T);
    std::memset(static_cast<void*>(all.back().get()), i, sizeof(T));
  }
  for (int i = 0; i < 40; ++i) {
    for (std::byte b : all[static_cast<std::size_t>(i)]->bytes)
      ASSERT_EQ(b, static_cast<std::byte>(i));
  }
}

TEST_F(ObjectPoolTest, EverySizeAndAlignment) {
  check_alignment<Sized<1, 1>>();
  check_alignment<Sized<8, 8>>();
  check_alignment<Sized<24, 8>>();
  check_alignment<Sized<48, 16>>();
  check_alignment<Sized<64, 64>>();
  check_alignment<Sized<192, 64>>();
  check_alignment<Sized<100, 4096>>();
  check_alignment<Sized<100'000, 128>>();
  check_alignment<Sized<2'000'000, 16>>();
}

// At the heap's limit: the reserve still serves, and what comes back fills it first.
TEST_F(ObjectPoolTest, TheReserveServesWhenTheHeapRefuses) {
  using Big = Sized<40'000, 16>;  // a span each
  ObjectPool<Big> pool;
  ASSERT_TRUE(pool.reserve(2).has_value());
  EXPECT_EQ(pool.snapshot().reserve, 2u);
  auto first = pool.make();  // from the heap, not from the reserve
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(pool.snapshot().reserve, 2u);
  ASSERT_TRUE(set_limit("heap", heap().in_use_bytes).has_value());
  auto second = pool.make();
  auto third = pool.make();
  ASSERT_TRUE(second.has_value());
  ASSERT_TRUE(third.has_value());
  EXPECT_EQ(pool.snapshot().from_reserve, 2u);
  auto fourth = pool.make();
  ASSERT_FALSE(fourth.has_value());
  EXPECT_EQ(fourth.error(), Error(Errc::ResourceExhausted, ""));
  EXPECT_EQ(pool.snapshot().refused_memory, 1u);
  EXPECT_EQ(pool.snapshot().live, 3u);
  second->reset();
  EXPECT_EQ(pool.snapshot().reserve, 1u);
  EXPECT_TRUE(pool.make().has_value());
  ASSERT_TRUE(set_limit("heap", 0).has_value());
  third->reset();
  first->reset();
  EXPECT_EQ(pool.snapshot().reserve, 2u);
  ASSERT_TRUE(pool.reserve(0).has_value());
  EXPECT_EQ(pool.snapshot().reserve, 0u);
  EXPECT_EQ(heap().objects_in_use, 0u);
}

TEST_F(ObjectPoolTest, AReserveThatDoesNotFitSaysSo) {
  ASSERT_TRUE(set_limit("heap", 256 * kKiB).has_value());
  ObjectPool<Sized<40'000, 16>> pool;
  auto refused = pool.reserve(1000);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::ResourceExhausted);
  EXPECT_GT(pool.snapshot().reserve, 0u);
  ASSERT_TRUE(pool.reserve(1).has_value());
  EXPECT_EQ(pool.snapshot().reserve, 1u);
}

TEST_F(ObjectPoolTest, EndingWithALiveObjectIsABug) {
  EXPECT_DEATH(
      {
        auto* pool = new ObjectPool<int>;
        auto* kept = new auto(pool->make(1));
        delete pool;
        delete kept;
      },
      "while one of them lives");
}

struct Node {
  explicit Node(uint64_t k) : key(k), copy(~k) {}
  uint64_t key, copy;
};

// Objects go to another thread and end there; the bound holds all the time.
TEST_F(ObjectPoolTest, ManyThreadsUnderABound) {
  constexpr uint64_t kMost = 50;
  constexpr unsigned kEach = 20'000;
  ObjectPool<Node> pool({.most = kMost});
  std::mutex mutex;
  std::vector<ObjectPool<Node>::Handle> shelf;
  std::atomic<uint64_t> alive{0}, most{0}, refused{0}, wrong{0};
  const auto work = [&](uint64_t seed) {
    for (unsigned i = 0; i < kEach; ++i) {
      ObjectPool<Node>::Handle other;
      if (auto made = pool.make(seed + i)) {
        const uint64_t now = alive.fetch_add(1) + 1;
        uint64_t seen = most.load();
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
        const std::scoped_lock lock(mutex);
        shelf.push_back(std::move(*made));
        if (shelf.size() < 30) continue;
        other = std::move(shelf[i % shelf.size()]);
        std::swap(shelf[i % shelf.size()], shelf.back());
        shelf.pop_back();
      } else {
        refused.fetch_add(1);
        const std::scoped_lock lock(mutex);
        if (shelf.empty()) continue;
        other = std::move(shelf.back());
        shelf.pop_back();
      }
      if (other->copy != ~other->key) wrong.fetch_add(1);
      alive.fetch_sub(1);
    }
  };
  {
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < 4; ++t) threads.emplace_back(work, t << 32);
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(wrong.load(), 0u);
  EXPECT_LE(most.load(), kMost);
  const ObjectPoolSnapshot now = pool.snapshot();
  EXPECT_EQ(now.live, shelf.size());
  EXPECT_EQ(now.made, 4 * kEach - refused.load());
  EXPECT_EQ(now.refused_most, refused.load());
  EXPECT_LE(now.high_water, kMost);
  shelf.clear();
  EXPECT_EQ(pool.snapshot().live, 0u);
}

}  // namespace
}  // namespace zokio::mem
