// SPDX-License-Identifier: Apache-2.0

// Reads of what the page cache has end at once, on both backends; what it has not is read as
// before.

#include <fcntl.h>
#include <gtest/gtest.h>

#include "coroutine_asserts.h"
#include "io/cached_first.h"
#include "runtime_fixture.h"
#include "temp_dir.h"
#include "zokio/fs/file.h"
#include "zokio/fs/file_stream.h"
#include "zokio/simd/pattern.h"

namespace zokio::fs {
namespace {

constexpr std::size_t kBytes = 300'000;

Task<void> make_file(std::string path) {
  auto file = co_await File::open(path, {.write = true, .create = true, .truncate = true});
  CO_ASSERT_OK(file);
  mem::Buffer buffer = *mem::lease(kBytes);
  simd::fill_pattern(buffer.space(), 3, 0);
  buffer.resize(kBytes);
  CO_ASSERT_OK((co_await file->write_all_at(std::move(buffer), 0)).n);
  CO_ASSERT_OK(co_await file->sync());
}

class CachedReadTest : public test::RuntimeTest {
 protected:
  void SetUp() override {
    RuntimeTest::SetUp();
    ASSERT_TRUE(runtime_->block_on(make_file, path_).has_value());
  }
  // System calls and hand-overs that reads could have needed.
  uint64_t ways() const {
    const IoSnapshot io = runtime_->stats().io;
    uint64_t sum = io.file_ops_blocking;
    for (const ReactorSnapshot& reactor : io.reactors) sum += reactor.enters;
    return sum;
  }
  test::TempDir dir_;
  const std::string path_ = dir_ / "f";
};

Task<void> read_pieces(File* file, std::size_t bytes, unsigned times) {
  for (unsigned i = 0; i < times; ++i) {
    const uint64_t at = i * bytes % (kBytes - bytes);
    IoResult got = co_await file->read_at(*mem::lease(bytes), at);
    CO_ASSERT_OK(got.n);
    EXPECT_EQ(*got.n, bytes);
    EXPECT_EQ(simd::find_damage(got.buffer.bytes(), 3, at), simd::kIntact);
  }
}

TEST_P(CachedReadTest, NeedsNeitherARingNorAThread) {
  File file(os::Fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC)));
  EXPECT_FALSE(file.direct());
  for (const std::size_t bytes : {std::size_t{100}, std::size_t{20'000}}) {
    // Several turns of a task would go another way once for each.
    const unsigned times = bytes == 100 ? 50 : 20;
    const uint64_t before = ways();
    ASSERT_TRUE(runtime_->block_on(read_pieces, &file, bytes, times).has_value());
    EXPECT_LT(ways() - before, times / 2) << bytes;
  }
}

Task<void> read_around_the_end(std::string path) {
  auto file = co_await File::open(path);
  CO_ASSERT_OK(file);
  IoResult got = co_await file->read_at(*mem::lease(70'000), kBytes - 12'345);
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(*got.n, 12'345u);
  for (const uint64_t at : {uint64_t{kBytes}, uint64_t{1} << 60}) {
    got = co_await file->read_at(std::move(got.buffer), at);
    CO_ASSERT_OK(got.n);
    EXPECT_EQ(*got.n, 0u);
  }
}

TEST_P(CachedReadTest, EndsWhereTheFileEnds) {
  ASSERT_TRUE(runtime_->block_on(read_around_the_end, path_).has_value());
}

TEST_P(CachedReadTest, WhatIsNotThereIsReadAsBefore) {
  const os::Fd fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  File file(os::Fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC)));
  for (int round = 0; round < 20; ++round) {
    // All of it, or every other 64 KiB, so that a look finds a beginning and no more.
    for (off_t at = 0; at < off_t{kBytes}; at += 128 << 10) {
      ASSERT_EQ(posix_fadvise(fd.get(), at, round % 2 == 0 ? off_t{kBytes} : 64 << 10,
                              POSIX_FADV_DONTNEED),
                0);
    }
    ASSERT_TRUE(runtime_->block_on(read_pieces, &file, kBytes - 1, 1u).has_value());
  }
}

Task<void> write_and_read_over(std::string path) {
  auto file = co_await File::open(path, {.read = true, .write = true});
  CO_ASSERT_OK(file);
  mem::Buffer buffer = *mem::lease(5000);
  for (unsigned i = 0; i < 50; ++i) {
    simd::fill_pattern(buffer.space(), i, 0);
    buffer.resize(5000);
    IoResult put = co_await file->write_all_at(std::move(buffer), 1000);
    CO_ASSERT_OK(put.n);
    IoResult got = co_await file->read_full_at(std::move(put.buffer), 1000);
    CO_ASSERT_OK(got.n);
    EXPECT_EQ(simd::find_damage(got.buffer.bytes(), i, 0), simd::kIntact);
    buffer = std::move(got.buffer);
  }
}

TEST_P(CachedReadTest, WritersAreSeen) {
  ASSERT_TRUE(runtime_->block_on(write_and_read_over, path_).has_value());
}

ZOKIO_RUNTIME_MATRIX(CachedReadTest);

// A disk that is read at random pays for few looks; a hit makes up for all misses before.
TEST(CachedFirst, LooksLessAfterMisses) {
  io::CachedFirst policy;
  unsigned looks = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (!policy.worth_it()) continue;
    ++looks;
    policy.was(false);
  }
  EXPECT_GE(looks, 10'000 / (io::CachedFirst::kMostWithout + 1));
  EXPECT_LE(looks, 10'000 / io::CachedFirst::kMostWithout + 7);
  while (!policy.worth_it()) {
  }
  policy.was(true);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(policy.worth_it());
    policy.was(true);
  }
  policy.was(false);
  EXPECT_FALSE(policy.worth_it());
  EXPECT_TRUE(policy.worth_it());
}

}  // namespace
}  // namespace zokio::fs
