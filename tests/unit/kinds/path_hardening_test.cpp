// SPDX-License-Identifier: Apache-2.0
// Every kind that takes a path against a hostile or failing file system: the error names the path,
// nothing partial is left, sources are as they were, nothing outside of the root is read or
// written.
#include <fcntl.h>
#include <grp.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zstd.h>

#include <cstdlib>
#include <thread>

#include <fmt/format.h>

#include "kind_fixture.h"

namespace zokiod::kinds {
namespace {

using model::FileChecksumSpec;
using model::FileCompressSpec;
using model::FileCopyResult;
using model::FileCopySpec;
using model::FileDecompressSpec;
using model::FileScrubResult;
using model::FileScrubSpec;
using Names = std::vector<std::string>;
using testing::AnyOf;
using testing::HasSubstr;

std::string zstd_of(const std::string& content) {
  std::string out(ZSTD_compressBound(content.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), content.data(), content.size(), 1));
  return out;
}

class PathHardeningTest : public KindTest {
 protected:
  // The kinds that read one file: of `source`, to "out" in the root.
  std::vector<model::Work> readers(const std::string& source) {
    return {FileChecksumSpec{source, ""}, FileCopySpec{source, in_root("out"), true},
            FileCompressSpec{source, in_root("out"), true, 1},
            FileDecompressSpec{source, in_root("out"), true, 0}};
  }
  // A disk of its own below the root; false: not allowed here.
  bool mount_disk(const char* size) {
    std::filesystem::create_directory(in_root("disk"));
    return ::mount("none", in_root("disk").c_str(), "tmpfs", 0, size) == 0;
  }
  void unmount_disk() { EXPECT_EQ(::umount2(in_root("disk").c_str(), MNT_DETACH), 0); }
};

// Somebody swaps a directory of the path with a link out of the root, all the time.
TEST_P(PathHardeningTest, ARacingLinkNeverLeadsOutside) {
  write(in_root("dir/file"), zstd_of("inside"));
  write(outside("file"), zstd_of("outside"));
  std::filesystem::create_symlink(outside(""), in_root("other"));
  std::atomic<bool> stop{false};
  std::jthread attacker([&] {
    while (!stop)
      ::renameat2(AT_FDCWD, in_root("dir").c_str(), AT_FDCWD, in_root("other").c_str(),
                  RENAME_EXCHANGE);
  });
  for (int round = 0; round < 60; ++round) {
    const auto read_from = run(FileDecompressSpec{in_root("dir/file"), in_root("out"), true, 0});
    if (read_from)
      EXPECT_EQ(read(in_root("out")), "inside");
    else
      EXPECT_THAT(read_from.error().error.os_errno, AnyOf(ELOOP, ENOTDIR));
    const auto written_to = run(FileCopySpec{in_root("out"), in_root("dir/new"), true});
    if (!written_to) EXPECT_THAT(written_to.error().error.os_errno, AnyOf(ELOOP, ENOTDIR, ENOENT));
  }
  stop = true;
  attacker.join();
  EXPECT_EQ(names(outside("")), Names{"file"}) << "something was written outside";
}

TEST_P(PathHardeningTest, WhatIsNoFileIsRefusedAndNotWaitedFor) {
  ASSERT_EQ(::mkfifo(in_root("fifo").c_str(), 0600), 0);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  in_root("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  write(outside("secret"), "secret");
  std::filesystem::create_symlink(outside("secret"), in_root("link"));
  for (const char* name : {"fifo", "socket", "link"}) {
    for (const model::Work& work : readers(in_root(name))) {
      const auto done = run(work);
      ASSERT_FALSE(done.has_value()) << name;
      EXPECT_THAT(done.error().error.code, AnyOf(Errc::FailedPrecondition, Errc::PermissionDenied))
          << done.error().message;
      EXPECT_THAT(done.error().message, HasSubstr("open " + in_root(name) + ": "));
    }
    const auto done = run(FileScrubSpec{root(), in_root(name), 0, ""});
    ASSERT_FALSE(done.has_value()) << name;
    EXPECT_THAT(done.error().message, HasSubstr("open " + in_root(name) + ": "));
  }
  ::close(socket);
  EXPECT_EQ(names(root()), (Names{"fifo", "link", "socket"})) << "nothing partial";
}

// Reading this process's memory at 0 is EIO: an I/O error that needs no special disk.
TEST_P(PathHardeningTest, AnErrorOfTheDiskNamesThePathAndLeavesNothing) {
  const std::string broken = fmt::format("/proc/{}/mem", ::getpid());
  Policy policy = this->policy();
  policy.roots.push_back("/proc");
  write(in_root("out"), "old");
  for (const model::Work& work : readers(broken)) {
    FakeContext context(*runtime_, policy, work);
    const auto done = run(context);
    ASSERT_FALSE(done.has_value());
    EXPECT_EQ(done.error().error.os_errno, EIO) << done.error().message;
    // A tree names its files as the manifest does.
    EXPECT_THAT(done.error().message,
                AnyOf(HasSubstr("read " + broken + ": "), HasSubstr("read mem: ")));
    EXPECT_EQ(read(in_root("out")), "old");
  }
  write(in_root("manifest"), std::string(64, '0') + "  mem\n");
  FakeContext context(*runtime_, policy,
                      FileScrubSpec{broken, in_root("manifest"), 0, in_root("progress")});
  const auto done = run(context);
  ASSERT_OK(done);
  EXPECT_EQ(std::get<FileScrubResult>(done->result).unreadable, 1u);
  EXPECT_THAT(done->error.message, HasSubstr("1 unreadable; first: mem: "));
  EXPECT_THAT(done->error.message, HasSubstr("EIO"));
  EXPECT_EQ(names(root()), (Names{"manifest", "out"}));
}

TEST_P(PathHardeningTest, AFullDiskLeavesNothing) {
  write(in_root("source"), noise(4 << 20));
  write(in_root("source.zst"), zstd_of(noise(4 << 20)));
  if (!mount_disk("size=1m")) GTEST_SKIP() << "a disk of its own cannot be mounted here";
  const std::string to = in_root("disk/out");
  write(to, "old");
  const std::string words = ": RESOURCE_EXHAUSTED (ENOSPC: No space left on device)";
  EXPECT_REPORT(run(FileCopySpec{in_root("source"), to, true}), Errc::ResourceExhausted,
                "RESOURCE_EXHAUSTED", "write " + to + ": write" + words);
  EXPECT_REPORT(run(FileCompressSpec{in_root("source"), to, true, 0}), Errc::ResourceExhausted,
                "RESOURCE_EXHAUSTED", "write " + to + ": write" + words);
  EXPECT_REPORT(run(FileDecompressSpec{in_root("source.zst"), to, true, 0}),
                Errc::ResourceExhausted, "RESOURCE_EXHAUSTED", "write " + to + ": write" + words);
  EXPECT_EQ(names(in_root("disk")), Names{"out"});
  EXPECT_EQ(read(to), "old");
  // A manifest that has no room.
  std::ofstream(in_root("disk/fill")) << std::string((1 << 20) - 8192, 'x');
  for (int i = 0; i < 200; ++i) write(in_root(fmt::format("tree/{:0>100}", i)), "x");
  EXPECT_REPORT(run(FileChecksumSpec{in_root("tree"), to}), Errc::ResourceExhausted,
                "RESOURCE_EXHAUSTED", "write " + to + ": write" + words);
  EXPECT_EQ(names(in_root("disk")), (Names{"fill", "out"}));
  EXPECT_EQ(read(to), "old");
  unmount_disk();
  EXPECT_TRUE(read(in_root("source")) == noise(4 << 20));
}

// As somebody who is not root, in a process of its own.
TEST_P(PathHardeningTest, PermissionLostMidWay) {
  if (::geteuid() != 0) GTEST_SKIP() << "wants root, to become somebody else";
  for (const char* name : {"a", "b"}) write(in_root(std::string("tree/") + name), noise(300'000));
  ASSERT_OK(run(FileChecksumSpec{in_root("tree"), in_root("manifest")}));
  for (const char* path : {"", "tree", "tree/a", "tree/b"})
    ASSERT_EQ(::chown(in_root(path).c_str(), 65534, 65534), 0);
  std::filesystem::permissions(std::filesystem::path(root()).parent_path(),
                               std::filesystem::perms(0755));
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // begins anew, without this one's threads
  EXPECT_EXIT(
      {
        if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0)
          ::_exit(2);
        FakeContext context(*runtime_, policy(),
                            FileScrubSpec{in_root("tree"), in_root("manifest"), 0, ""});
        context.on_progress = [&](uint64_t) { ::chmod(in_root("tree/b").c_str(), 0); };
        const auto done = run(context);
        ::fprintf(stderr, "%s", done ? done->error.message.c_str() : done.error().message.c_str());
        ::_exit(0);
      },
      testing::ExitedWithCode(0),
      "1 of 2 files: 0 damaged, 0 missing, 1 unreadable; first: b: open: PERMISSION_DENIED "
      ".EACCES");
}

// ZOKIO_TEST_HUGE=1 takes 10 GiB, which is minutes on a busy machine. The copy of a hole is a hole.
TEST_P(PathHardeningTest, AHugeSparseFileStaysSparse) {
  if (GetParam().backend == zokio::Backend::Epoll) GTEST_SKIP() << "once is long enough";
  const uint64_t size = std::getenv("ZOKIO_TEST_HUGE") ? 10ull << 30 : (256ull << 20) + 1;
  write(in_root("huge"), "head");
  ASSERT_EQ(::truncate(in_root("huge").c_str(), static_cast<off_t>(size - 4)), 0);
  std::ofstream(in_root("huge"), std::ios::app) << "tail";
  const auto copied = run(FileCopySpec{in_root("huge"), in_root("copy"), false});
  ASSERT_OK(copied);
  EXPECT_EQ(std::get<FileCopyResult>(copied->result).bytes, size);
  struct stat attributes{};
  ASSERT_EQ(::stat(in_root("copy").c_str(), &attributes), 0);
  EXPECT_EQ(static_cast<uint64_t>(attributes.st_size), size);
  EXPECT_LT(attributes.st_blocks, 4096) << "at most 2 MiB on the disk";
  std::ifstream copy(in_root("copy"), std::ios::binary);
  copy.seekg(-4, std::ios::end);
  std::string tail(4, '\0');
  copy.read(tail.data(), 4);
  EXPECT_EQ(tail, "tail");
  // A file that ends in a hole has its size.
  write(in_root("small"), "x");
  ASSERT_EQ(::truncate(in_root("small").c_str(), 3 << 20), 0);
  ASSERT_OK(run(FileCopySpec{in_root("small"), in_root("small.copy"), false}));
  EXPECT_TRUE(read(in_root("small.copy")) == read(in_root("small")));
}

KIND_MATRIX(PathHardeningTest);

}  // namespace
}  // namespace zokiod::kinds
