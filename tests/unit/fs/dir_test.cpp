// SPDX-License-Identifier: Apache-2.0

// Names: what directories are told and what they tell.

#include "zokio/fs/dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "coroutine_asserts.h"
#include "runtime_fixture.h"
#include "temp_dir.h"
#include "zokio/fs/file.h"

namespace zokio::fs {
namespace {

using DirTest = test::RuntimeTest;

Task<void> touch(std::string path) {
  auto file = co_await File::open(std::move(path), kReplace);
  CO_ASSERT_OK(file);
  auto closed = co_await file->close();
  CO_ASSERT_OK(closed);
}

Task<void> names(std::string base) {
  auto made = co_await mkdir(base + "/d", 0700);
  CO_ASSERT_OK(made);
  auto twice = co_await mkdir(base + "/d");
  EXPECT_EQ(twice.error().code, Errc::AlreadyExists);
  co_await touch(base + "/d/one");
  co_await touch(base + "/d/two");
  auto inner = co_await mkdir(base + "/d/sub");
  CO_ASSERT_OK(inner);

  auto listed = co_await read_dir(base + "/d");
  CO_ASSERT_OK(listed);
  std::ranges::sort(*listed, {}, &DirEntry::name);
  CO_ASSERT(listed->size() == 3);
  EXPECT_EQ((*listed)[0].name, "one");
  EXPECT_EQ((*listed)[0].type, FileType::Regular);
  EXPECT_EQ((*listed)[1].name, "sub");
  EXPECT_EQ((*listed)[1].type, FileType::Directory);

  auto renamed = co_await rename(base + "/d/one", base + "/d/two");
  CO_ASSERT_OK(renamed);
  auto gone = co_await stat_path(base + "/d/one");
  EXPECT_EQ(gone.error().code, Errc::NotFound);
  co_await touch(base + "/d/one");
  auto kept = co_await rename(base + "/d/one", base + "/d/two", true);
  EXPECT_EQ(kept.error().code, Errc::AlreadyExists);

  auto full = co_await remove_dir(base + "/d");
  EXPECT_EQ(full.error().os_errno, ENOTEMPTY);
  auto wrong = co_await unlink(base + "/d/sub");
  EXPECT_FALSE(wrong.has_value());
  auto synced = co_await fsync_dir(base + "/d");
  CO_ASSERT_OK(synced);
}

TEST_P(DirTest, MakeListRenameRemove) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(names, dir.path()).has_value());
}

Task<void> relative(std::string base) {
  auto root = co_await File::open(base, {.directory = true});
  CO_ASSERT_OK(root);
  auto made = co_await mkdir_at(root->fd(), "sub");
  CO_ASSERT_OK(made);
  auto file = co_await File::open_beneath(*root, "sub/f", kCreateNew);
  CO_ASSERT_OK(file);
  auto metadata = co_await file->stat();
  CO_ASSERT_OK(metadata);
  auto same = co_await stat_at(root->fd(), "sub/f");
  CO_ASSERT_OK(same);
  EXPECT_TRUE(metadata->same_file(*same));
  auto renamed = co_await rename_at(root->fd(), "sub/f", root->fd(), "g");
  CO_ASSERT_OK(renamed);
  auto listed = co_await read_dir_at(root->fd());
  CO_ASSERT_OK(listed);
  EXPECT_EQ(listed->size(), 2u);
  auto unlinked = co_await unlink_at(root->fd(), "g");
  CO_ASSERT_OK(unlinked);
  auto removed = co_await remove_dir_at(root->fd(), "sub");
  CO_ASSERT_OK(removed);
  auto empty = co_await read_dir_at(root->fd());
  CO_ASSERT_OK(empty);
  EXPECT_TRUE(empty->empty());
  auto missing = co_await read_dir(base + "/missing");
  EXPECT_EQ(missing.error().code, Errc::NotFound);
}

TEST_P(DirTest, RelativeToADescriptor) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(relative, dir.path()).has_value());
}

Task<std::size_t> make_many(std::string base, unsigned count) {
  for (unsigned i = 0; i < count; ++i) co_await touch(base + "/" + std::to_string(i));
  auto listed = co_await read_dir(base);
  co_return listed.has_value() ? listed->size() : 0;
}

TEST_P(DirTest, ListsAllNames) {
  test::TempDir dir;
  EXPECT_EQ(*runtime_->block_on(make_many, dir.path(), 700u), 700u);
}

ZOKIO_RUNTIME_MATRIX(DirTest);

}  // namespace
}  // namespace zokio::fs
