// SPDX-License-Identifier: Apache-2.0

// Mappings: content at any offset, what is written, files that become shorter, and pages that are
// brought in.

#include "zokio/fs/mapped_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "coroutine_asserts.h"
#include "io/ops/map.h"
#include "runtime_fixture.h"
#include "temp_dir.h"
#include "zokio/base/sanitizer.h"
#include "zokio/simd/pattern.h"

namespace zokio::fs {
namespace {

using MappedFileTest = test::RuntimeTest;

constexpr uint64_t kKey = 42;

bool intact(Bytes bytes, uint64_t position) {
  return simd::find_damage(bytes, kKey, position) == simd::kIntact;
}

Task<Result<File>> pattern_file(std::string path, std::size_t size) {
  ZOKIO_CO_TRY(
      File file,
      co_await File::open(path, {.read = true, .write = true, .create = true, .truncate = true}));
  if (size == 0) co_return file;
  mem::Buffer buffer = *mem::lease(size);
  simd::fill_pattern(buffer.space(), kKey);
  buffer.resize(size);
  IoResult written = co_await file.write_all_at(std::move(buffer), 0);
  if (!written.n.has_value()) co_return fail(written.n.error());
  co_return file;
}

Task<void> ranges(std::string path) {
  constexpr std::size_t kSize = 70'000;
  auto file = co_await pattern_file(path, kSize);
  CO_ASSERT_OK(file);
  for (uint64_t offset : {0u, 1u, 4095u, 4096u, 4097u, 69'999u, 70'000u}) {
    for (std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{5000}}) {
      const bool fits = offset + length <= kSize;
      auto map = MappedFile::map(*file, {.offset = offset, .length = length});
      EXPECT_EQ(map.has_value(), fits) << offset << " " << length;
      if (!fits) {
        EXPECT_EQ(map.error().code, Errc::OutOfRange);
        continue;
      }
      CO_ASSERT_OK(co_await map->populate());
      EXPECT_EQ(map->size(), length == 0 ? kSize - offset : length);
      EXPECT_TRUE(intact(map->bytes(), offset));
      // At the start, in the middle, up to the end and not beyond, and behind it.
      for (std::size_t at : {std::size_t{0}, map->size() / 2, map->size(), map->size() + 5}) {
        IoResult got = co_await map->read_at(*mem::lease(100'000), at);
        CO_ASSERT_OK(got.n);
        EXPECT_EQ(*got.n, at < map->size() ? map->size() - at : 0u);
        EXPECT_EQ(got.buffer.size(), *got.n);
        EXPECT_TRUE(intact(got.buffer.bytes(), offset + at));
      }
    }
  }
  CO_ASSERT_OK(co_await file->close());
}

TEST_P(MappedFileTest, AnyRangeOfTheFile) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(ranges, dir / "f").has_value());
}

Task<void> writes(std::string path) {
  auto file = co_await pattern_file(path, 20'000);
  CO_ASSERT_OK(file);
  auto map = MappedFile::map(*file, {.offset = 5000, .writable = true});
  CO_ASSERT_OK(map);
  simd::fill_pattern(map->writable_bytes().subspan(3, 9000), 7);
  CO_ASSERT_OK(co_await map->flush(0, 9010));
  CO_ASSERT_OK(map->advise(MapUse::Sequential));
  CO_ASSERT_OK(map->advise(MapUse::Done, 0, 4000));  // the file has it, not only the memory
  IoResult got = co_await file->read_full_at(*mem::lease(9000), 5003);
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(simd::find_damage(got.buffer.bytes(), 7), simd::kIntact);
  EXPECT_EQ(simd::find_damage(map->bytes().subspan(3, 9000), 7), simd::kIntact);
  // The file may be closed; the mapping goes on.
  CO_ASSERT_OK(co_await file->close());
  MappedFile moved = *std::move(map);
  EXPECT_EQ(moved.size(), 15'000u);
  EXPECT_TRUE(intact(moved.bytes().subspan(10'000), 15'000));

  auto read_only = co_await File::open(path);
  CO_ASSERT_OK(read_only);
  auto refused = MappedFile::map(*read_only, {.writable = true});
  CO_ASSERT(!refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::PermissionDenied);
  auto closed = MappedFile::map(File());
  CO_ASSERT(!closed.has_value());
  EXPECT_EQ(closed.error().os_errno, EBADF);
}

TEST_P(MappedFileTest, WhatIsWrittenIsInTheFile) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(writes, dir / "f").has_value());
}

Task<void> shortened(std::string path) {
  auto file = co_await pattern_file(path, 40'000);
  CO_ASSERT_OK(file);
  auto map = MappedFile::map(*file);
  CO_ASSERT_OK(map);
  CO_ASSERT_OK(co_await map->populate());
  CO_ASSERT(ftruncate(file->fd(), 10'000) == 0);
  IoResult kept = co_await map->read_at(*mem::lease(40'000), 0);
  CO_ASSERT_OK(kept.n);
  EXPECT_EQ(*kept.n, 10'000u);
  EXPECT_TRUE(intact(kept.buffer.bytes(), 0));
  IoResult gone = co_await map->read_at(*mem::lease(64), 30'000);
  CO_ASSERT_OK(gone.n);
  EXPECT_EQ(*gone.n, 0u);
  auto populated = co_await map->populate();
  CO_ASSERT(!populated.has_value());
  EXPECT_EQ(populated.error(), Error(Errc::OutOfRange, "", Detail::Eof));
  CO_ASSERT_OK(co_await map->populate(0, 10'000));
}

TEST_P(MappedFileTest, AShorterFileIsAnErrorForWhoAsks) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(shortened, dir / "f").has_value());
}

// And the end of the process for who touches.
TEST(MappedFile, TouchingWhatIsGoneRaisesSigbus) {
  if (kSanitized) GTEST_SKIP() << "the sanitizer takes the signal";
  test::TempDir dir;
  const int fd = open((dir / "f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(ftruncate(fd, 40'000), 0);
  const File file{os::Fd(fd)};
  auto map = MappedFile::map(file);
  ASSERT_TRUE(map.has_value());
  ASSERT_EQ(ftruncate(fd, 1), 0);
  volatile const std::byte* far = map->bytes().data() + 30'000;
  EXPECT_EXIT(static_cast<void>(*far), testing::KilledBySignal(SIGBUS), "");
}

TEST(MappedFile, WritingAMappingForReadingIsABug) {
  MappedFile map;
  EXPECT_DEATH(static_cast<void>(map.writable_bytes()), "for reading");
}

unsigned resident_pages(Bytes bytes) {
  std::vector<unsigned char> in(bytes.size() / 4096 + 1);
  const auto start = reinterpret_cast<uintptr_t>(bytes.data()) & ~uintptr_t{4095};
  if (mincore(reinterpret_cast<void*>(start), bytes.size(), in.data()) != 0) return 0;
  unsigned count = 0;
  for (unsigned char page : in) count += page & 1u;
  return count;
}

Task<void> populates(std::string path) {
  constexpr std::size_t kSize = std::size_t{20} << 20;  // more than one step
  auto file = co_await pattern_file(path, kSize);
  CO_ASSERT_OK(file);
  CO_ASSERT_OK(co_await file->sync());
  auto map = MappedFile::map(*file);
  CO_ASSERT_OK(map);
  posix_fadvise(file->fd(), 0, 0, POSIX_FADV_DONTNEED);
  const bool evicted = resident_pages(map->bytes()) < kSize / 4096;
  CO_ASSERT_OK(co_await map->populate());
  EXPECT_EQ(resident_pages(map->bytes()), kSize / 4096);
  EXPECT_EQ(map->figures().populated_bytes, kSize);
  // Not every file system lets go of its pages.
  if (evicted) EXPECT_GT(map->figures().major_faults, 0u);
  EXPECT_TRUE(intact(map->bytes(), 0));
}

TEST_P(MappedFileTest, PopulateBringsAllPagesInAndCountsItsWaits) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(populates, dir / "f").has_value());
  // Never on a worker.
  EXPECT_GE(runtime_->stats().io.file_ops_blocking, 2u);
}

// The way of older kernels.
TEST(MappedFile, ReadingWarmsWhereTheKernelCannotPopulate) {
  test::TempDir dir;
  const int fd = open((dir / "f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const os::Fd closes(fd);
  ASSERT_EQ(ftruncate(fd, 100'000), 0);
  EXPECT_EQ(io::MapOp::warm(fd, 0, 100'000), 0);
  EXPECT_EQ(io::MapOp::warm(fd, 99'000, 1001), -EFAULT);
  EXPECT_EQ(io::MapOp::warm(-1, 0, 1), -EBADF);
}

Task<void> shares(std::string path) {
  auto file = co_await pattern_file(path, 10'000);
  CO_ASSERT_OK(file);
  auto map = MappedFile::map(*file, {.offset = 100});
  CO_ASSERT_OK(map);
  auto all = MappedFile::share(*std::move(map));
  CO_ASSERT_OK(all);
  mem::SharedBuffer part = all->slice(900, 2000);
  *all = mem::SharedBuffer();
  EXPECT_TRUE(intact(part.bytes(), 1000));
  // A file goes out of a chain without being read into a buffer.
  mem::BufferChain chain;
  CO_ASSERT_OK(chain.append(std::move(part)));
  auto copy = co_await File::open(path + ".copy", {.read = true, .write = true, .create = true});
  CO_ASSERT_OK(copy);
  ChainResult written = co_await copy->write_all_at(std::move(chain), 0);
  CO_ASSERT_OK(written.n);
  IoResult got = co_await copy->read_full_at(*mem::lease(3000), 0);
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(*got.n, 2000u);
  EXPECT_TRUE(intact(got.buffer.bytes(), 1000));
}

TEST_P(MappedFileTest, SlicesKeepTheMapping) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(shares, dir / "f").has_value());
}

ZOKIO_RUNTIME_MATRIX(MappedFileTest);

}  // namespace
}  // namespace zokio::fs
