// SPDX-License-Identifier: Apache-2.0

// Registered buffers: the same content by every way, figures that say which it was, and leases that
// outlive the slab's free blocks.

#include "zokio/mem/registered.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "coroutine_asserts.h"
#include "runtime_fixture.h"
#include "temp_dir.h"
#include "zokio/fs/file.h"
#include "zokio/mem/pools.h"
#include "zokio/simd/pattern.h"

namespace zokio::fs {
namespace {

class RegisteredTest : public test::RuntimeTest {
 protected:
  void TearDown() override {
    EXPECT_EQ(slab().objects_in_use, 0u);
    RuntimeTest::TearDown();
  }
  static PoolSnapshot slab() {
    const auto pools = mem::snapshots();
    const auto at = std::ranges::find(pools, "registered", &PoolSnapshot::name);
    return at == pools.end() ? PoolSnapshot() : *at;
  }
  uint64_t registered_ops() const {
    uint64_t sum = 0;
    for (const ReactorSnapshot& r : runtime_->stats().io.reactors) sum += r.registered_ops;
    return sum;
  }
};

// Writes `blocks` blocks of the pattern and reads them back, partly into the middle of a file.
Task<void> write_and_read(std::string path, unsigned blocks, std::size_t bytes) {
  auto opened =
      co_await File::open(path, {.read = true, .write = true, .create = true, .truncate = true});
  CO_ASSERT_OK(opened);
  // What stands in the page cache would be read without the ring.
  File file(os::Fd(fcntl(opened->fd(), F_DUPFD_CLOEXEC, 0)), /*direct=*/true);
  for (unsigned i = 0; i < blocks; ++i) {
    mem::Buffer buffer = *mem::lease_registered(bytes);
    EXPECT_EQ(buffer.capacity(), bytes);
    simd::fill_pattern(buffer.space(), 5, i * bytes);
    buffer.resize(bytes);
    IoResult written = co_await file.write_all_at(std::move(buffer), i * bytes);
    CO_ASSERT_OK(written.n);
    EXPECT_EQ(*written.n, bytes);
    IoResult got = co_await file.read_full_at(std::move(written.buffer), i * bytes);
    CO_ASSERT_OK(got.n);
    EXPECT_EQ(simd::find_damage(got.buffer.bytes(), 5, i * bytes), simd::kIntact);
  }
  CO_ASSERT_OK(co_await file.close());
}

TEST_P(RegisteredTest, FilesAreReadAndWrittenByThem) {
  test::TempDir dir;
  constexpr unsigned kBlocks = 20;
  ASSERT_TRUE(
      runtime_->block_on(write_and_read, dir / "f", kBlocks, std::size_t{60'001}).has_value());
  bool any = false;
  for (const ReactorSnapshot& r : runtime_->stats().io.reactors) {
    if (r.registered_buffers == "yes") any = true;
    if (GetParam().backend == Backend::Epoll) EXPECT_EQ(r.registered_buffers, "");
  }
  if (GetParam().backend == Backend::Epoll) {
    EXPECT_EQ(registered_ops(), 0u);
  } else if (any) {
    EXPECT_GE(registered_ops(), 2 * kBlocks);
  } else {
    GTEST_SKIP() << "refused here";
  }
}

// Plain buffers do not go by it.
TEST_P(RegisteredTest, PlainLeasesStayPlain) {
  const mem::Buffer kept = *mem::lease_registered(10);
  EXPECT_TRUE(mem::is_registered(kept.data()));
  const mem::Buffer plain = *mem::lease(10);
  EXPECT_FALSE(mem::is_registered(plain.data()));
  EXPECT_FALSE(mem::is_registered(nullptr));
  EXPECT_FALSE(mem::is_registered(mem::registered_slab().data() + mem::kRegisteredBytes));
  EXPECT_TRUE(mem::is_registered(mem::registered_slab().data() + mem::kRegisteredBytes - 1));
  EXPECT_EQ(registered_ops(), 0u);
}

TEST_P(RegisteredTest, WhenTheSlabIsFullLeasesArePlain) {
  std::vector<mem::Buffer> all;
  for (unsigned i = 0; i < 64; ++i) {
    all.push_back(*mem::lease_registered(mem::kRegisteredBlock));
    ASSERT_TRUE(mem::is_registered(all.back().data())) << i;
    std::ranges::fill(all.back().space(), static_cast<std::byte>(i));
  }
  const PoolSnapshot full = slab();
  EXPECT_EQ(full.in_use_bytes, mem::kRegisteredBytes);
  EXPECT_EQ(full.cached_bytes, 0u);
  EXPECT_EQ(full.high_water_bytes, mem::kRegisteredBytes);
  mem::Buffer plain = *mem::lease_registered(100);
  EXPECT_FALSE(mem::is_registered(plain.data()));
  EXPECT_EQ(slab().failures_limit, full.failures_limit + 1);
  mem::Buffer large = *mem::lease_registered(mem::kRegisteredBlock + 1);
  EXPECT_FALSE(mem::is_registered(large.data()));
  EXPECT_EQ(mem::lease_registered(0).error().code, Errc::InvalidArgument);
  for (unsigned i = 0; i < 64; ++i)  // none of them overlap
    for (std::byte b : all[i].space()) ASSERT_EQ(b, static_cast<std::byte>(i));
  all.pop_back();
  EXPECT_EQ(slab().frees, full.frees + 1);
  EXPECT_TRUE(mem::is_registered(mem::lease_registered(1)->data()));
}

TEST_P(RegisteredTest, TheirNumberHasACap) {
  const mem::Buffer one = *mem::lease_registered(1);
  ASSERT_TRUE(runtime_->resize_pool("registered", 2 * mem::kRegisteredBlock).has_value());
  const mem::Buffer two = *mem::lease_registered(1);
  const mem::Buffer three = *mem::lease_registered(1);
  EXPECT_TRUE(mem::is_registered(two.data()));
  EXPECT_FALSE(mem::is_registered(three.data()));
  EXPECT_EQ(runtime_->resize_pool("registered", 1).error().code, Errc::FailedPrecondition);
  ASSERT_TRUE(runtime_->resize_pool("registered", 1, /*force=*/true).has_value());
  EXPECT_TRUE(slab().shrinking);
  ASSERT_TRUE(runtime_->resize_pool("registered", 0).has_value());
}

Task<bool> churn(std::string path) {
  co_await write_and_read(path, 30, 5000);
  co_return true;
}

Task<unsigned> many(std::string base, unsigned count) {
  std::vector<JoinHandle<bool>> handles;
  for (unsigned i = 0; i < count; ++i) handles.push_back(spawn(churn, base + std::to_string(i)));
  unsigned good = 0;
  for (auto& handle : handles) {
    auto done = co_await handle;
    good += done.has_value() && *done;
  }
  co_return good;
}

// More tasks than blocks, on several rings.
TEST_P(RegisteredTest, ManyTasksShareTheSlab) {
  test::TempDir dir;
  EXPECT_EQ(*runtime_->block_on(many, dir / "f", 100u), 100u);
}

ZOKIO_RUNTIME_MATRIX(RegisteredTest);

Result<std::unique_ptr<Runtime>> one_worker(Backend backend) {
  RuntimeOptions options;
  options.workers = options.reactors = 1;
  options.backend = backend;
  return Runtime::create(std::move(options));
}

// At most `bytes` of locked memory, and no right to more. The same content, and the reason.
// 0: as it should be.
int with_locked_memory(rlim_t bytes, Backend backend, const std::string& path) {
  const rlimit most{bytes, bytes};
  if (setrlimit(RLIMIT_MEMLOCK, &most) != 0) return 10;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct caps[2]{};
  if (syscall(SYS_capget, &header, caps) != 0) return 11;
  caps[0].effective &= ~(1u << CAP_IPC_LOCK);
  caps[0].permitted &= ~(1u << CAP_IPC_LOCK);
  if (syscall(SYS_capset, &header, caps) != 0) return 12;
  auto runtime = one_worker(backend);
  if (!runtime.has_value()) return 13;
  if (!(*runtime)->block_on(write_and_read, path, 5u, std::size_t{5000}).has_value()) return 14;
  if (testing::Test::HasFailure()) return 15;
  const IoSnapshot io = (*runtime)->stats().io;
  const ReactorSnapshot& reactor = io.reactors.at(0);
  if (reactor.registered_ops != 0) return 16;
  const bool said = io.backend == "io_uring"
                        ? reactor.registered_buffers.find("io_uring_register") != std::string::npos
                        : !io.fallback_reason.empty();
  return said ? 0 : 17;
}

// 2 MiB: enough for a ring, and not for the slab. 0: perhaps not even for a ring.
TEST(RegisteredDeathTest, WorksWithoutLockedMemoryAndSaysWhy) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  if (!one_worker(Backend::Uring).has_value()) GTEST_SKIP() << "no io_uring here";
  test::TempDir dir;
  EXPECT_EXIT(_exit(with_locked_memory(2u << 20, Backend::Uring, dir / "f")),
              testing::ExitedWithCode(0), "");
  EXPECT_EXIT(_exit(with_locked_memory(0, Backend::Auto, dir / "f")), testing::ExitedWithCode(0),
              "");
}

}  // namespace
}  // namespace zokio::fs
