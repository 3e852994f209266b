// SPDX-License-Identifier: Apache-2.0
//
// Leases that wait while the pool of buffers is full.

#include "zokio/lease.h"
#include <algorithm>
#include <mutex>
#include <vector>

#include "runtime_fixture.h"
#include "zokio/timeout.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBlock = 64 << 10;
constexpr std::size_t kFull = 16;  // blocks that the limit allows

PoolSnapshot buffers() {
  return mem::snapshot(mem::PoolId::Buffers);
}

using Handle = JoinHandle<Result<mem::Buffer>>;

// What a task under `handle` got. A pointer: the caller waits.
Task<Result<mem::Buffer>> outcome_of(Handle* handle) {
  co_return co_await *handle;
}

class Lease : public test::RuntimeTest {
 protected:
  void SetUp() override {
    RuntimeTest::SetUp();
    mem::trim();
    const uint64_t used = buffers().in_use_bytes;  // nobody's here, the runtime's own
    ASSERT_TRUE(mem::set_limit("buffers", used + kFull * kBlock).has_value());
    policy(mem::WhenFull::Wait);
  }
  void TearDown() override {
    EXPECT_EQ(buffers().waiters, 0u);
    EXPECT_TRUE(mem::set_limit("buffers", 0).has_value());
    policy(mem::WhenFull::Fail);
    RuntimeTest::TearDown();
  }
  static void policy(mem::WhenFull when_full) {
    ASSERT_TRUE(mem::set_settings("buffers", {.when_full = when_full}).has_value());
  }
  static std::vector<mem::Buffer> fill() {
    std::vector<mem::Buffer> all;
    while (auto one = mem::lease(kBlock)) all.push_back(*std::move(one));
    return all;
  }
  static bool someone_waits(unsigned tasks) {
    return test::eventually([tasks] { return buffers().waiters == tasks; });
  }
};

TEST_P(Lease, WaitsForWhatIsFreed) {
  std::vector<mem::Buffer> all = fill();
  ASSERT_EQ(all.size(), kFull);
  const PoolSnapshot before = buffers();
  auto waiter = runtime_->spawn(
      []() -> Task<Result<mem::Buffer>> { co_return co_await lease_async(kBlock); });
  ASSERT_TRUE(someone_waits(1));
  EXPECT_FALSE(mem::lease(kBlock).has_value()) << "a thread that does not wait";
  all.pop_back();
  auto got = runtime_->block_on(&outcome_of, &waiter);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->capacity(), kBlock);
  EXPECT_EQ(buffers().waits - before.waits, 1u);
  EXPECT_GT(buffers().wait_ns, before.wait_ns);
}

struct Order {
  std::mutex mutex;
  std::vector<int> order;
};
Task<Result<mem::Buffer>> lease_and_note(Order* order, int i) {
  ZOKIO_CO_TRY(mem::Buffer got, co_await lease_async(kBlock / static_cast<unsigned>(i % 2 + 1)));
  const std::scoped_lock lock(order->mutex);
  order->order.push_back(i);
  co_return std::move(got);
}

TEST_P(Lease, FirstComeFirstServed) {
  std::vector<mem::Buffer> all = fill();
  Order order;
  std::vector<Handle> waiters;
  for (int i = 0; i < 8; ++i) {
    waiters.push_back(runtime_->spawn(&lease_and_note, &order, i));
    ASSERT_TRUE(someone_waits(static_cast<unsigned>(i) + 1));
  }
  all.clear();
  for (Handle& waiter : waiters) EXPECT_TRUE(runtime_->block_on(&outcome_of, &waiter).has_value());
  // What one got may be written down after what the next one got, by another worker.
  if (GetParam().workers == 1) EXPECT_TRUE(std::ranges::is_sorted(order.order));
  EXPECT_EQ(order.order.size(), 8u);
}

TEST_P(Lease, WaitsForAHigherLimit) {
  const std::vector<mem::Buffer> all = fill();
  auto waiter = runtime_->spawn(
      []() -> Task<Result<mem::Buffer>> { co_return co_await lease_async(kBlock); });
  ASSERT_TRUE(someone_waits(1));
  ASSERT_TRUE(mem::set_limit("buffers", 0).has_value());
  auto got = runtime_->block_on(&outcome_of, &waiter);
  EXPECT_TRUE(got.has_value());
}

TEST_P(Lease, TimeoutAndCancelEndTheWaitAndTheNextIsServed) {
  std::vector<mem::Buffer> all = fill();
  const auto late = runtime_->block_on([]() -> Task<Result<mem::Buffer>> {
    co_return co_await with_timeout(lease_async(kBlock), 20ms);
  });
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, Errc::DeadlineExceeded);
  auto first = runtime_->spawn(&lease_async, kBlock);
  ASSERT_TRUE(someone_waits(1));
  auto second = runtime_->spawn(&lease_async, kBlock);
  ASSERT_TRUE(someone_waits(2));
  first.cancel();
  ASSERT_TRUE(someone_waits(1));
  all.pop_back();
  const auto cut = runtime_->block_on(&outcome_of, &first);
  ASSERT_FALSE(cut.has_value());
  EXPECT_EQ(cut.error().code, Errc::Cancelled);
  EXPECT_TRUE(runtime_->block_on(&outcome_of, &second).has_value());
}

TEST_P(Lease, OtherPoliciesDoNotWait) {
  std::vector<mem::Buffer> all = fill();
  const uint64_t waits = buffers().waits;
  policy(mem::WhenFull::Fail);
  const auto refused = runtime_->block_on(&lease_async, kBlock);
  EXPECT_EQ(refused.error().code, Errc::ResourceExhausted);
  EXPECT_EQ(refused.error().detail, Detail::Limit);
  policy(mem::WhenFull::Overflow);
  EXPECT_TRUE(runtime_->block_on(&lease_async, kBlock).has_value());
  policy(mem::WhenFull::Wait);
  EXPECT_EQ(runtime_->block_on(&lease_async, std::size_t{32} << 20).error().code,
            Errc::ResourceExhausted)
      << "more than the limit could ever allow";
  EXPECT_EQ(buffers().waits, waits);
  auto waiter = runtime_->spawn(&lease_async, kBlock);
  ASSERT_TRUE(someone_waits(1));
  policy(mem::WhenFull::Fail);
  EXPECT_FALSE(runtime_->block_on(&outcome_of, &waiter).has_value());
}

// More tasks than buffers, each of which holds one for a while and gives it back: all get theirs.
TEST_P(Lease, ManyShareFew) {
  const Outcome<uint64_t> served = runtime_->block_on([]() -> Task<uint64_t> {
    std::vector<JoinHandle<Result<uint64_t>>> users;
    for (int i = 0; i < 100; ++i) {
      users.push_back(spawn([]() -> Task<Result<uint64_t>> {
        for (uint64_t n = 0; n < 20; ++n) {
          ZOKIO_CO_TRY(mem::Buffer buffer, co_await lease_async(kBlock));
          buffer.data()[0] = std::byte{1};
          ZOKIO_CO_CHECKED(co_await sleep(10us));
        }
        co_return uint64_t{20};
      }));
    }
    uint64_t sum = 0;
    for (auto& user : users) sum += (co_await user).value_or(0);
    co_return sum;
  });
  EXPECT_EQ(served.value_or(0), 2000u);
  EXPECT_GT(buffers().waits, 0u);
}

ZOKIO_RUNTIME_MATRIX(Lease);

}  // namespace
}  // namespace zokio
