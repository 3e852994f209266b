// SPDX-License-Identifier: Apache-2.0

// What stands on files and names: streams, direct I/O, durable replacement, walks, locks, watches,
// temporary files, sizes and vectors.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "../io/ops_fixture.h"
#include "temp_dir.h"
#include "zokio/fs/dir.h"
#include "zokio/fs/direct.h"
#include "zokio/fs/file_stream.h"
#include "zokio/fs/lock.h"
#include "zokio/fs/replace.h"
#include "zokio/fs/walk.h"
#include "zokio/fs/watcher.h"
#include "zokio/io/buffered.h"
#include "zokio/io/copy.h"

namespace zokio::fs {
namespace {

using FsHelpers = test::BufferTest;
using std::chrono::milliseconds;
using test::pattern_text;
using test::text_buffer;

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

Task<void> streams(std::string base) {
  const std::string text = pattern_text(100'000);
  std::ofstream(base + "/a", std::ios::binary) << text;
  auto from = co_await File::open(base + "/a");
  auto to = co_await File::open(base + "/b", kReplace);
  CO_ASSERT_OK(from);
  CO_ASSERT_OK(to);
  FileStream reader(*from);
  FileStream writer(*to);
  io::CopyResult copied = co_await io::copy(reader, writer, *mem::lease(7'000));
  CO_ASSERT_OK(copied.n);
  EXPECT_EQ(*copied.n, text.size());
  EXPECT_EQ(reader.position(), text.size());
  EXPECT_TRUE(content_of(base + "/b") == text);
  reader.seek(99'990);
  IoResult tail = co_await io::read_exactly(reader, *mem::lease(20), 20);
  EXPECT_EQ(tail.n.error().detail, Detail::Eof);
  EXPECT_EQ(as_text(tail.buffer.bytes()), text.substr(99'990));

  io::BufferedWriter lines(writer, *mem::lease(10));
  writer.seek(0);
  auto step1 = co_await to->resize(0);
  CO_ASSERT_OK(step1);
  for (int i = 0; i < 100; ++i) {
    auto put = co_await lines.write(std::to_string(i) + "\n");
    CO_ASSERT_OK(put);
  }
  auto step2 = co_await lines.flush();
  CO_ASSERT_OK(step2);
  auto again = co_await File::open(base + "/b");
  CO_ASSERT_OK(again);
  FileStream read_back(*again);
  io::BufferedReader reading(read_back, *mem::lease(16));
  for (int i = 0; i < 100; ++i) {
    auto line = co_await reading.next_line();
    CO_ASSERT_OK(line);
    EXPECT_EQ(**line, std::to_string(i));
  }
}

TEST_P(FsHelpers, FilesAreStreams) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(streams, dir.path()).has_value());
}

Task<void> sizes(std::string path) {
  auto file = co_await File::open(path, {.write = true, .create = true});
  CO_ASSERT_OK(file);
  IoResult written = co_await file->write_all_at(text_buffer("one two three"), 3);
  CO_ASSERT_OK(written.n);
  std::vector<mem::Buffer> rooms;
  for (int i = 0; i < 3; ++i) rooms.push_back(*mem::lease(6));
  VectorResult got = co_await file->read_vectored_at(std::move(rooms), 3);
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(*got.n, 13u);
  EXPECT_EQ(as_text(got.buffers[2].bytes()), "e");
  VectorResult none = co_await file->read_vectored_at({}, 0);
  EXPECT_EQ(none.n.error().code, Errc::InvalidArgument);
  auto step3 = co_await file->resize(4);
  CO_ASSERT_OK(step3);
  EXPECT_EQ(content_of(path).size(), 4u);
  auto reserved = co_await file->allocate(0, 1 << 20, true);
  if (reserved.has_value()) {
    auto metadata = co_await file->stat();
    CO_ASSERT_OK(metadata);
    EXPECT_EQ(metadata->size, 4u);
    EXPECT_GE(metadata->blocks_bytes, 1u << 20);
    auto punched = co_await file->punch_hole(0, 1 << 20);
    if (punched.has_value()) {
      metadata = co_await file->stat();
      EXPECT_LT(metadata->blocks_bytes, 1u << 20);
    }
  }
  EXPECT_EQ((co_await file->resize(UINT64_MAX)).error().code, Errc::InvalidArgument);
}

TEST_P(FsHelpers, SizesAndVectors) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(sizes, dir / "f").has_value());
}

Task<void> direct(std::string path) {
  const std::string text = pattern_text(300'000);
  std::ofstream(path, std::ios::binary) << text;
  auto file = co_await File::open(path, {.direct = true});
  if (!file.has_value()) co_return;  // a file system without it says so at the open
  auto rules = co_await direct_alignment(*file);
  CO_ASSERT_OK(rules);
  EXPECT_EQ(rules->up(1), rules->offset);
  EXPECT_EQ(rules->down(rules->offset + 1), rules->offset);
  for (const std::size_t size : {1ul, 4096ul, 5000ul, 65536ul, 100'000ul, 1ul << 20}) {
    auto buffer = lease_direct(size, *rules);
    CO_ASSERT_OK(buffer);
    EXPECT_GE(buffer->capacity(), size);
    EXPECT_EQ(buffer->capacity() % rules->offset, 0u);
    IoResult got = co_await file->read_at(*std::move(buffer), rules->down(10'000));
    CO_ASSERT_OK(got.n);
    EXPECT_TRUE(as_text(got.buffer.bytes()) ==
                std::string_view(text).substr(rules->down(10'000), *got.n));
  }
  EXPECT_FALSE(lease_direct(100, {.memory = 3, .offset = 512}).has_value());
}

TEST_P(FsHelpers, DirectReadsHaveTheirBuffers) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(direct, dir / "f").has_value());
}

Task<Result<std::size_t>> replace_twice(std::string path) {
  for (int i = 0; i < 2; ++i) {
    IoResult done = co_await replace_file(path, text_buffer(std::string(50'000, 'n')), 0600);
    EXPECT_EQ(done.buffer.size(), 50'000u);
    if (!done.n.has_value()) co_return fail(done.n.error());
  }
  co_return 2;
}

Task<void> replaced(std::string base) {
  const std::string path = base + "/f";
  std::ofstream(path) << "old";
  IoResult done = co_await replace_file(path, text_buffer("new"), 0640);
  CO_ASSERT_OK(done.n);
  EXPECT_EQ(as_text(done.buffer.bytes()), "new");
  EXPECT_EQ(content_of(path), "new");
  IoResult nowhere = co_await replace_file(base + "/missing/f", text_buffer("x"));
  EXPECT_EQ(nowhere.n.error().code, Errc::NotFound);
  EXPECT_EQ(nowhere.buffer.size(), 1u);

  // Cut at every point: old or new and never a part, and no file is left beside it.
  std::ofstream(path) << "old";
  unsigned ended = 0;
  unsigned cut = 0;
  for (int i = 0; i < 8; ++i) {
    co_await test::cancel_at_every_point([&](unsigned) { return spawn(replace_twice, path); }, 16,
                                         &ended, &cut);
    const std::string now = content_of(path);
    EXPECT_TRUE(now == "old" || now == std::string(50'000, 'n')) << now.size();
    auto names = co_await read_dir(base);
    CO_ASSERT_OK(names);
    EXPECT_EQ(names->size(), 1u);
  }
  EXPECT_GT(cut, 0u);
}

TEST_P(FsHelpers, ReplacedOrNot) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(replaced, dir.path()).has_value());
}

Task<void> temporary(std::string base) {
  auto file = co_await open_temporary(base);
  if (!file.has_value()) co_return;  // overlay file systems have no O_TMPFILE
  IoResult written = co_await file->write_all_at(text_buffer("text"), 0);
  CO_ASSERT_OK(written.n);
  auto names = co_await read_dir(base);
  CO_ASSERT_OK(names);
  EXPECT_TRUE(names->empty());
  auto step4 = co_await link_file(*file, base + "/named");
  CO_ASSERT_OK(step4);
  EXPECT_EQ(content_of(base + "/named"), "text");
  EXPECT_EQ((co_await link_file(*file, base + "/named")).error().code, Errc::AlreadyExists);
  auto step5 = co_await link(base + "/named", base + "/other");
  CO_ASSERT_OK(step5);
  auto step6 = co_await symlink("named", base + "/link");
  CO_ASSERT_OK(step6);
  auto metadata = co_await stat_path(base + "/link", false);
  CO_ASSERT_OK(metadata);
  EXPECT_EQ(metadata->type, FileType::Symlink);
  EXPECT_EQ((co_await stat_path(base + "/other"))->links, 2u);
}

TEST_P(FsHelpers, FilesWithoutANameAndWithTwo) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(temporary, dir.path()).has_value());
}

Task<Result<std::size_t>> walk_all(std::string base, std::vector<std::string>* out) {
  Walk walk(base);
  for (;;) {
    ZOKIO_CO_TRY(auto entry, co_await walk.next());
    if (!entry.has_value()) break;
    if (entry->error.has_value()) continue;
    out->push_back(entry->path.substr(base.size()));
    if (entry->path.ends_with("/skipped")) walk.skip_directory();
  }
  co_return out->size();
}

Task<void> walks(std::string base) {
  for (const char* name : {"/b", "/b/x", "/a", "/skipped", "/b/y"}) {
    auto step7 = co_await mkdir(base + name);
    CO_ASSERT_OK(step7);
  }
  for (const char* name : {"/c", "/b/x/1", "/b/x/2", "/skipped/f"}) {
    std::ofstream(base + name) << "x";
  }
  auto step8 = co_await symlink(base, base + "/a/loop");
  CO_ASSERT_OK(step8);
  std::vector<std::string> got;
  auto step9 = co_await walk_all(base, &got);
  CO_ASSERT_OK(step9);
  EXPECT_EQ(got, (std::vector<std::string>{"/a", "/a/loop", "/b", "/b/x", "/b/x/1", "/b/x/2",
                                           "/b/y", "/c", "/skipped"}));
  EXPECT_EQ((co_await Walk(base + "/missing").next()).error().code, Errc::NotFound);

  // One that is cut off goes on with its next call, and misses nothing.
  Walk walk(base);
  std::size_t seen = 0;
  for (unsigned tries = 0; tries < 1000; ++tries) {
    auto entry = co_await with_timeout(walk.next(), std::chrono::microseconds(tries * tries));
    if (!entry.has_value()) {
      CO_ASSERT(entry.error().code == Errc::DeadlineExceeded);
      continue;
    }
    if (!entry->has_value()) break;
    ++seen;
  }
  EXPECT_EQ(seen, 10u);
}

TEST_P(FsHelpers, WalksInOrder) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(walks, dir.path()).has_value());
}

Task<void> locks(std::string path) {
  auto a = co_await File::open(path, {.write = true, .create = true});
  auto b = co_await File::open(path, {.write = true});
  CO_ASSERT_OK(a);
  CO_ASSERT_OK(b);
  {
    auto shared = try_lock(*a, LockKind::Shared);
    auto also = try_lock(*b, LockKind::Shared);
    CO_ASSERT_OK(shared);
    CO_ASSERT_OK(also);
    EXPECT_EQ(try_lock(*b).error().detail, Detail::Limit);
  }
  auto held = co_await lock(*a);
  CO_ASSERT_OK(held);
  auto late = co_await with_timeout(lock(*b), milliseconds(10));
  CO_ASSERT(!late.has_value());
  EXPECT_EQ(late.error().code, Errc::DeadlineExceeded);
  struct Locker {
    static Task<Result<int>> take(const File* file) {
      ZOKIO_CO_TRY(FileLock mine, co_await lock(*file));
      co_return mine ? 1 : 0;
    }
  };
  auto waiting = spawn(&Locker::take, &*b);
  co_await sleep(milliseconds(3));
  held->unlock();
  auto outcome = co_await waiting;
  CO_ASSERT_OK(outcome);
  EXPECT_EQ(*outcome, 1);
  EXPECT_TRUE(try_lock(*a).has_value());
}

TEST_P(FsHelpers, LocksOfFiles) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(locks, dir / "f").has_value());
}

Task<void> watches(std::string base) {
  auto watcher = Watcher::create();
  CO_ASSERT_OK(watcher);
  auto id = watcher->add(base, kCreated | kDeleted | kMovedFrom | kMovedTo);
  CO_ASSERT_OK(id);
  EXPECT_EQ(watcher->add(base + "/missing", kCreated).error().code, Errc::NotFound);
  auto quiet = co_await with_timeout(watcher->next(), milliseconds(5));
  CO_ASSERT(!quiet.has_value());
  EXPECT_EQ(quiet.error().code, Errc::DeadlineExceeded);

  for (int i = 0; i < 300; ++i) std::ofstream(base + "/file-" + std::to_string(i)) << "x";
  for (int i = 0; i < 300; ++i) {
    auto event = co_await watcher->next();
    CO_ASSERT_OK(event);
    EXPECT_EQ(event->what, kCreated);
    EXPECT_EQ(event->id, *id);
    EXPECT_EQ(event->name, "file-" + std::to_string(i));
  }
  auto step10 = co_await rename(base + "/file-0", base + "/moved");
  CO_ASSERT_OK(step10);
  auto from = co_await watcher->next();
  auto to = co_await watcher->next();
  CO_ASSERT_OK(from);
  CO_ASSERT_OK(to);
  EXPECT_EQ(from->what, kMovedFrom);
  EXPECT_EQ(to->what, kMovedTo);
  EXPECT_EQ(to->name, "moved");
  EXPECT_NE(to->cookie, 0u);
  EXPECT_EQ(from->cookie, to->cookie);
  EXPECT_TRUE(watcher->remove(*id).has_value());
  auto end = co_await watcher->next();
  CO_ASSERT_OK(end);
  EXPECT_EQ(end->what, kEnded);
  EXPECT_FALSE(watcher->remove(*id).has_value());
}

TEST_P(FsHelpers, WatchesTell) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(watches, dir.path()).has_value());
}

ZOKIO_RUNTIME_MATRIX(FsHelpers);

}  // namespace
}  // namespace zokio::fs
