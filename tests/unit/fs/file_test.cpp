// SPDX-License-Identifier: Apache-2.0

// Files: content, ends, errors, and that a path cannot escape its directory.

#include "zokio/fs/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "coroutine_asserts.h"
#include "runtime_fixture.h"
#include "temp_dir.h"
#include "zokio/fs/dir.h"
#include "zokio/simd/pattern.h"

namespace zokio::fs {
namespace {

using FileTest = test::RuntimeTest;

mem::Buffer pattern_buffer(std::size_t size, uint64_t seed, uint64_t position) {
  mem::Buffer buffer = *mem::lease(size);
  simd::fill_pattern(buffer.space(), seed, position);
  buffer.resize(size);
  return buffer;
}

bool matches(const mem::Buffer& buffer, uint64_t seed, uint64_t position) {
  return simd::find_damage(buffer.bytes(), seed, position) == simd::kIntact;
}

Task<void> write_and_read_back(std::string path, std::size_t block, unsigned blocks) {
  auto file = co_await File::open(path, {.write = true, .create = true, .truncate = true});
  CO_ASSERT_OK(file);
  // Backwards, so that the position of each block comes from its offset and nothing else.
  for (unsigned i = blocks; i-- > 0;) {
    IoResult written = co_await file->write_all_at(pattern_buffer(block, 7, i * block), i * block);
    CO_ASSERT_OK(written.n);
    EXPECT_EQ(*written.n, block);
    EXPECT_EQ(written.buffer.size(), block);
  }
  auto synced = co_await file->sync(true);
  CO_ASSERT_OK(synced);
  auto metadata = co_await file->stat();
  CO_ASSERT_OK(metadata);
  EXPECT_EQ(metadata->size, block * blocks);
  EXPECT_TRUE(metadata->is_regular());
  for (unsigned i = 0; i < blocks; ++i) {
    IoResult got = co_await file->read_full_at(*mem::lease(block), i * block);
    CO_ASSERT_OK(got.n);
    EXPECT_EQ(*got.n, block);
    EXPECT_TRUE(matches(got.buffer, 7, i * block)) << "block " << i;
  }
  auto closed = co_await file->close();
  CO_ASSERT_OK(closed);
  EXPECT_FALSE(file->is_open());
  auto again = co_await file->close();
  EXPECT_EQ(again.error().code, Errc::FailedPrecondition);
}

TEST_P(FileTest, WhatWasWrittenIsRead) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(write_and_read_back, dir / "a", 1000u, 37u).has_value());
  ASSERT_TRUE(
      runtime_->block_on(write_and_read_back, dir / "b", std::size_t{1} << 20, 4u).has_value());
}

Task<void> ends(std::string path) {
  auto file = co_await File::open(path, {.write = true, .create = true});
  CO_ASSERT_OK(file);
  IoResult empty = co_await file->read_at(*mem::lease(64), 0);
  CO_ASSERT_OK(empty.n);
  EXPECT_EQ(*empty.n, 0u);
  EXPECT_EQ(empty.buffer.size(), 0u);
  EXPECT_EQ(empty.buffer.capacity(), 64u);

  IoResult written = co_await file->write_at(pattern_buffer(100, 3, 0), 0);
  CO_ASSERT_OK(written.n);
  IoResult shorter = co_await file->read_at(*mem::lease(64), 90);
  CO_ASSERT_OK(shorter.n);
  EXPECT_EQ(*shorter.n, 10u);
  EXPECT_TRUE(matches(shorter.buffer, 3, 90));
  IoResult full = co_await file->read_full_at(*mem::lease(4096), 0);
  CO_ASSERT_OK(full.n);
  EXPECT_EQ(*full.n, 100u);
  EXPECT_TRUE(matches(full.buffer, 3, 0));
  IoResult behind = co_await file->read_at(*mem::lease(64), 5000);
  CO_ASSERT_OK(behind.n);
  EXPECT_EQ(*behind.n, 0u);
  IoResult nowhere = co_await file->read_at(mem::Buffer(), 0);
  EXPECT_EQ(nowhere.n.error().code, Errc::InvalidArgument);
  IoResult beyond = co_await file->read_at(*mem::lease(64), UINT64_MAX);
  EXPECT_EQ(beyond.n.error().code, Errc::InvalidArgument);
  EXPECT_EQ(beyond.buffer.capacity(), 64u);
}

TEST_P(FileTest, EndsAndShortReads) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(ends, dir / "f").has_value());
}

Task<void> errors(std::string base) {
  auto missing = co_await File::open(base + "/missing");
  CO_ASSERT(!missing.has_value());
  EXPECT_EQ(missing.error().code, Errc::NotFound);
  EXPECT_EQ(missing.error().os_errno, ENOENT);

  auto made = co_await File::open(base + "/f", kCreateNew);
  CO_ASSERT_OK(made);
  auto twice = co_await File::open(base + "/f", kCreateNew);
  CO_ASSERT(!twice.has_value());
  EXPECT_EQ(twice.error().code, Errc::AlreadyExists);

  IoResult wrong_way = co_await made->read_at(*mem::lease(16), 0);
  CO_ASSERT(!wrong_way.n.has_value());
  EXPECT_EQ(wrong_way.n.error().os_errno, EBADF);
  EXPECT_EQ(wrong_way.buffer.capacity(), 16u);

  auto no_dir = co_await File::open(base + "/f/g");
  CO_ASSERT(!no_dir.has_value());
  EXPECT_EQ(no_dir.error().os_errno, ENOTDIR);
  auto not_a_dir = co_await File::open(base + "/f", {.directory = true});
  EXPECT_FALSE(not_a_dir.has_value());

  IoResult closed_read = co_await File().read_at(*mem::lease(16), 0);
  CO_ASSERT(!closed_read.n.has_value());
  EXPECT_EQ(closed_read.n.error().os_errno, EBADF);
}

TEST_P(FileTest, ErrorsKeepTheirErrnoAndGiveTheBufferBack) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(errors, dir.path()).has_value());
}

Task<void> special_files(std::string base) {
  // A FIFO without a writer would make the open wait for ever.
  auto fifo = co_await File::open(base + "/fifo", {.regular_only = true});
  CO_ASSERT(!fifo.has_value());
  EXPECT_EQ(fifo.error().code, Errc::FailedPrecondition);
  auto device = co_await File::open("/dev/null", {.regular_only = true});
  CO_ASSERT(!device.has_value());
  EXPECT_EQ(device.error().code, Errc::FailedPrecondition);
  auto made = co_await File::open(base + "/f", kCreateNew);
  CO_ASSERT_OK(made);
  auto regular = co_await File::open(base + "/f", {.regular_only = true});
  CO_ASSERT_OK(regular);
  EXPECT_EQ(fcntl(regular->fd(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_P(FileTest, RegularOnlyRefusesWhatCouldWait) {
  test::TempDir dir;
  ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
  ASSERT_TRUE(runtime_->block_on(special_files, dir.path()).has_value());
}

Task<void> escapes(std::string base) {
  auto root = co_await File::open(base + "/root", {.directory = true});
  CO_ASSERT_OK(root);
  auto inside = co_await File::open_beneath(*root, "sub/inside");
  CO_ASSERT_OK(inside);
  auto up_and_down = co_await File::open_beneath(*root, "sub/../sub/inside");
  CO_ASSERT_OK(up_and_down);

  const std::vector<std::string> refused = {
      "../secret",       "sub/../../secret", base + "/secret",     "/etc/passwd",
      "link_to_secret",  "sub/link_up/root", "link_to_sub/inside", "..",
      "sub/link_inside", "/proc/self/fd/0"};
  for (const std::string& path : refused) {
    auto opened = co_await File::open_beneath(*root, path);
    CO_ASSERT(!opened.has_value());
    EXPECT_EQ(opened.error().code, Errc::PermissionDenied) << path;
  }
  auto created = co_await File::open_beneath(*root, "../made", kCreateNew);
  EXPECT_FALSE(created.has_value());
  EXPECT_NE(access((base + "/made").c_str(), F_OK), 0);
}

TEST_P(FileTest, BeneathCannotBeLeft) {
  test::TempDir dir;
  ASSERT_EQ(::mkdir((dir / "root").c_str(), 0755), 0);
  ASSERT_EQ(::mkdir((dir / "root/sub").c_str(), 0755), 0);
  for (const char* name : {"secret", "root/sub/inside"}) {
    const int fd = creat((dir / name).c_str(), 0600);
    ASSERT_GE(fd, 0);
    close(fd);
  }
  ASSERT_EQ(::symlink("../secret", (dir / "root/link_to_secret").c_str()), 0);
  ASSERT_EQ(::symlink("../..", (dir / "root/sub/link_up").c_str()), 0);
  ASSERT_EQ(::symlink("sub", (dir / "root/link_to_sub").c_str()), 0);
  ASSERT_EQ(::symlink("inside", (dir / "root/sub/link_inside").c_str()), 0);
  ASSERT_TRUE(runtime_->block_on(escapes, dir.path()).has_value());
}

Task<void> write_chain(std::string path, unsigned slices) {
  auto file = co_await File::open(path, {.write = true, .create = true, .truncate = true});
  CO_ASSERT_OK(file);
  mem::BufferChain chain;
  for (unsigned i = 0; i < slices; ++i)
    CO_ASSERT_OK(chain.append(pattern_buffer(1 + i * 37 % 500, 11, chain.size())));
  const std::size_t size = chain.size();
  ChainResult written = co_await file->write_all_at(std::move(chain), 5);
  CO_ASSERT_OK(written.n);
  EXPECT_EQ(*written.n, size);
  EXPECT_TRUE(written.rest.empty());
  IoResult got = co_await file->read_full_at(*mem::lease(size + 10), 5);
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(*got.n, size);
  EXPECT_TRUE(matches(got.buffer, 11, 0));

  CO_ASSERT_OK(chain.append(pattern_buffer(100, 1, 0)));
  ChainResult beyond = co_await file->write_all_at(std::move(chain), UINT64_MAX);
  EXPECT_EQ(beyond.n.error().code, Errc::InvalidArgument);
  EXPECT_EQ(beyond.rest.size(), 100u);
  ChainResult closed = co_await File().write_all_at(std::move(beyond.rest), 0);
  EXPECT_EQ(closed.n.error().os_errno, EBADF);
  EXPECT_EQ(closed.rest.size(), 100u);
}

TEST_P(FileTest, AChainIsWrittenInOrder) {
  test::TempDir dir;
  for (unsigned slices : {1u, 64u, 65u, 1500u})
    ASSERT_TRUE(runtime_->block_on(write_chain, dir / "chain", slices).has_value());
}

Task<bool> reads_own_file(std::string path, uint64_t seed) {
  constexpr std::size_t kSize = 200'000;
  auto file = co_await File::open(path, {.write = true, .create = true});
  if (!file.has_value()) co_return false;
  IoResult written = co_await file->write_all_at(pattern_buffer(kSize, seed, 0), 0);
  if (!written.n.has_value()) co_return false;
  for (int round = 0; round < 5; ++round) {
    IoResult got = co_await file->read_full_at(std::move(written.buffer), 0);
    if (!got.n.has_value() || *got.n != kSize || !matches(got.buffer, seed, 0)) co_return false;
    written.buffer = std::move(got.buffer);
  }
  co_return true;
}

Task<unsigned> many_files(std::string base, unsigned count) {
  std::vector<JoinHandle<bool>> handles;
  for (unsigned i = 0; i < count; ++i) {
    handles.push_back(spawn(reads_own_file, base + "/" + std::to_string(i), uint64_t{i} * 977));
  }
  unsigned good = 0;
  for (auto& handle : handles) {
    auto ok = co_await handle;
    good += ok.has_value() && *ok;
  }
  co_return good;
}

TEST_P(FileTest, ManyAtOnceDoNotMixTheirBuffers) {
  test::TempDir dir;
  EXPECT_EQ(*runtime_->block_on(many_files, dir.path(), 64u), 64u);
  const IoSnapshot io = runtime_->stats().io;
  for (const IoOpSnapshot& op : io.ops) {
    if (op.op == "read") EXPECT_GE(op.bytes, 64u * 5 * 200'000);
    EXPECT_EQ(op.error, 0u) << op.op;
    EXPECT_EQ(op.duration_ns.count, op.ok + op.error + op.cancelled) << op.op;
  }
  // Files block under epoll and never under io_uring.
  EXPECT_EQ(io.file_ops_blocking == 0, GetParam().backend == Backend::Uring);
}

ZOKIO_RUNTIME_MATRIX(FileTest);

}  // namespace
}  // namespace zokio::fs
