// SPDX-License-Identifier: Apache-2.0
//
// Leases that wait while the pool of buffers is full.

#include "zokio/lease.h"
#include "runtime_fixture.h"
#include "zokio/timeout.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBlock = 64 << 10;
constexpr std::size_t kFull = 16;  // blocks that the limit allows

mem::PoolSnapshot buffers() {
  return mem::snapshot(mem::PoolId::Buffers);
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
  const mem::PoolSnapshot before = buffers();
  auto waiter = runtime_->spawn(
      []() -> Task<Result<mem::Buffer>> { co_return co_await lease_async(kBlock); });
  ASSERT_TRUE(someone_waits(1));
  EXPECT_FALSE(mem::lease(kBlock).has_value()) << "a thread that does not wait";
  all.pop_back();
  auto got = runtime_->block_on([&]() -> Task<Result<mem::Buffer>> { co_return co_await waiter; });
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->capacity(), kBlock);
  EXPECT_EQ(buffers().waits - before.waits, 1u);
  EXPECT_GT(buffers().wait_ns, before.wait_ns);
}

TEST_P(Lease, FirstComeFirstServed) {
  std::vector<mem::Buffer> all = fill();
  std::mutex mutex;
  std::vector<int> order;
  std::vector<JoinHandle<Result<void>>> waiters;
  for (int i = 0; i < 8; ++i) {
    waiters.push_back(runtime_->spawn([&mutex = std::ref(mutex).get(),
                                       &order = std::ref(order).get(), i]() -> Task<Result<void>> {
      ZOKIO_CO_TRY(const mem::Buffer got, co_await lease_async(kBlock / (i % 2 + 1)));
      const std::scoped_lock lock(mutex);
      order.push_back(i);
      co_return Result<void>();
    }));
    ASSERT_TRUE(someone_waits(static_cast<unsigned>(i) + 1));
  }
  all.clear();
  for (auto& waiter : waiters) {
    const auto done =
        runtime_->block_on([&]() -> Task<Result<void>> { co_return co_await waiter; });
    EXPECT_TRUE(done.has_value());
  }
  // What one got may be written down after what the next one got, by another worker.
  if (GetParam().workers == 1) EXPECT_TRUE(std::ranges::is_sorted(order));
  EXPECT_EQ(order.size(), 8u);
}

TEST_P(Lease, WaitsForAHigherLimit) {
  const std::vector<mem::Buffer> all = fill();
  auto waiter = runtime_->spawn(
      []() -> Task<Result<mem::Buffer>> { co_return co_await lease_async(kBlock); });
  ASSERT_TRUE(someone_waits(1));
  ASSERT_TRUE(mem::set_limit("buffers", 0).has_value());
  auto got = runtime_->block_on([&]() -> Task<Result<mem::Buffer>> { co_return co_await waiter; });
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
  runtime_->block_on([&]() -> Task<void> {
    const auto cut = co_await first;
    EXPECT_FALSE(cut.has_value());
    EXPECT_EQ(cut.error().code, Errc::Cancelled);
    EXPECT_TRUE((co_await second).has_value());
  });
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
  runtime_->block_on([&]() -> Task<void> { EXPECT_FALSE((co_await waiter).has_value()); });
}

// More tasks than buffers, each of which holds one for a while and gives it back: all get theirs.
TEST_P(Lease, ManyShareFew) {
  const uint64_t served = runtime_->block_on([]() -> Task<uint64_t> {
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
  EXPECT_EQ(served, 2000u);
  EXPECT_GT(buffers().waits, 0u);
}

ZOKIO_RUNTIME_MATRIX(Lease);

}  // namespace
}  // namespace zokio
