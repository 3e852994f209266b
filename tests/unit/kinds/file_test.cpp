// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kind_fixture.h"
#include "kinds/digest.h"

namespace zokiod::kinds {
namespace {

using model::FileChecksumResult;
using model::FileChecksumSpec;
using model::FileCopyResult;
using model::FileCopySpec;
using testing::ElementsAre;

std::string sha256_of(std::string_view text) {
  Digest digest;
  digest.update(text);
  return digest.sha256();
}
std::string xxh3_of(std::string_view text) {
  Digest digest;
  digest.update(text);
  return digest.xxh3();
}

TEST(Digest, KnownValues) {
  EXPECT_EQ(sha256_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(xxh3_of(""), "99aa06d3014798d86001c324468d497f");
}

class Checksum : public KindTest {};
ZOKIO_KIND_MATRIX(Checksum);

TEST_P(Checksum, ManifestAndDigestsOfATree) {
  const std::string big(700'001, 'b');  // three blocks, the last one short
  write("t/b/deep/file", "hello\n");
  write("t/a", "");
  write("t/big", big);
  write("t/new\nline", "x");
  fs::create_symlink("/etc/passwd", root_ / "t/link");
  ASSERT_EQ(::mkfifo(path("t/pipe").c_str(), 0600), 0);
  const auto result = must<FileChecksumResult>(FileChecksumSpec{path("t"), path("manifest")});
  std::string want;
  const auto line = [&](const std::string& content, const std::string& name) {
    want += sha256_of(content) + "  " + xxh3_of(content) + "  " + std::to_string(content.size()) +
            "  " + name + "\n";
  };
  line("", "a");
  line("hello\n", "b/deep/file");
  line(big, "big");
  line("x", "new\\nline");
  EXPECT_EQ(read(root_ / "manifest"), want);
  EXPECT_EQ(result.files, 4u);
  EXPECT_EQ(result.bytes, big.size() + 7);
  EXPECT_EQ(result.skipped, 2u);
  EXPECT_EQ(result.sha256, sha256_of(want));
  EXPECT_EQ(result.xxh3, xxh3_of(want));
  EXPECT_THAT(names(root_), ElementsAre("manifest", "scratch", "t"));
}

TEST_P(Checksum, ManyFilesAndAnEmptyTree) {
  for (int i = 0; i < 300; ++i)
    write("many/" + std::to_string(i % 7) + "/" + std::to_string(i), std::string(i, 'x'));
  EXPECT_EQ(must<FileChecksumResult>(FileChecksumSpec{path("many"), ""}).files, 300u);
  fs::create_directories(root_ / "empty");
  EXPECT_EQ(must<FileChecksumResult>(FileChecksumSpec{path("empty"), ""}).sha256, sha256_of(""));
}

TEST_P(Checksum, OneByteMoreChangesEverything) {
  write("t/a", "1");
  const auto before = must<FileChecksumResult>(FileChecksumSpec{path("t"), ""});
  EXPECT_EQ(before, must<FileChecksumResult>(FileChecksumSpec{path("t"), ""}));
  write("t/a", "2");
  EXPECT_NE(before.sha256, must<FileChecksumResult>(FileChecksumSpec{path("t"), ""}).sha256);
}

TEST_P(Checksum, ASingleFileAndTheRootItself) {
  write("one", "abc");
  const auto one = must<FileChecksumResult>(FileChecksumSpec{path("one"), ""});
  EXPECT_EQ(one.files, 1u);
  EXPECT_EQ(one.bytes, 3u);
  EXPECT_EQ(must<FileChecksumResult>(FileChecksumSpec{root_.string(), ""}).files, 1u);
}

TEST_P(Checksum, WhatIsNotThereAndWhatIsNoFile) {
  const auto missing = run(FileChecksumSpec{path("no/such"), ""});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().error.code, Errc::NotFound);
  EXPECT_NE(missing.error().message.find(path("no/such")), std::string::npos);

  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(run(FileChecksumSpec{path("pipe"), ""}));  // and does not wait for a writer

  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path("sock").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_FALSE(run(FileChecksumSpec{path("sock"), ""}));
  ::close(fd);
}

TEST_P(Checksum, NoWayOutThroughLinks) {
  fs::create_directories(fs::path(dir_.path()) / "outside");
  std::ofstream(fs::path(dir_.path()) / "outside/secret") << "s";
  fs::create_symlink("../outside", root_ / "way");
  fs::create_symlink("../outside/secret", root_ / "direct");
  fs::create_symlink("scratch", root_ / "inside");
  for (const char* name : {"way", "way/secret", "direct", "inside"}) {
    const auto done = run(FileChecksumSpec{path(name), ""});
    ASSERT_FALSE(done) << name;
    EXPECT_EQ(done.error().error.code, Errc::PermissionDenied) << name << done.error().message;
  }
  // Found on the way through a tree it is skipped, not followed.
  EXPECT_EQ(must<FileChecksumResult>(FileChecksumSpec{root_.string(), ""}).skipped, 3u);
  // A manifest cannot be written through one either.
  EXPECT_FALSE(run(FileChecksumSpec{root_.string(), path("way/manifest")}));
  EXPECT_THAT(names(fs::path(dir_.path()) / "outside"), ElementsAre("secret"));
}

TEST_P(Checksum, CancelEndsIt) {
  fs::create_directories(root_ / "t");
  for (int i = 0; i < 4; ++i) {
    std::ofstream(root_ / "t" / std::to_string(i)).close();
    fs::resize_file(root_ / "t" / std::to_string(i), 2ull << 30);  // sparse
  }
  auto attempt = context(FileChecksumSpec{path("t"), path("m")});
  const auto done = cancel_when(*attempt, [&] { return attempt->done() > 0; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().error.code, Errc::Cancelled);
  EXPECT_THAT(names(root_), ElementsAre("scratch", "t"));
}

class Copy : public KindTest {};
ZOKIO_KIND_MATRIX(Copy);

TEST_P(Copy, ContentModeAndDigests) {
  const std::string content(1'000'003, 'c');
  write("from", content);
  ASSERT_EQ(::chmod(path("from").c_str(), 0640), 0);
  fs::create_directories(root_ / "to");
  const auto result = must<FileCopyResult>(FileCopySpec{path("from"), path("to/copy"), false});
  EXPECT_EQ(result.bytes, content.size());
  EXPECT_EQ(result.sha256, sha256_of(content));
  EXPECT_EQ(result.xxh3, xxh3_of(content));
  EXPECT_EQ(read(root_ / "to/copy"), content);
  struct stat s{};
  ASSERT_EQ(::stat(path("to/copy").c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777, 0640u);
  EXPECT_THAT(names(root_ / "to"), ElementsAre("copy"));
}

TEST_P(Copy, EmptyFile) {
  write("from", "");
  EXPECT_EQ(must<FileCopyResult>(FileCopySpec{path("from"), path("copy"), false}).bytes, 0u);
  EXPECT_TRUE(fs::exists(root_ / "copy"));
}

TEST_P(Copy, WhatIsThereStaysUnlessOverwriteIsSaid) {
  write("from", "new");
  write("copy", "old");
  const auto done = run(FileCopySpec{path("from"), path("copy"), false});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().reason, "ALREADY_EXISTS");
  EXPECT_EQ(read(root_ / "copy"), "old");
  must<FileCopyResult>(FileCopySpec{path("from"), path("copy"), true});
  EXPECT_EQ(read(root_ / "copy"), "new");
  EXPECT_THAT(names(root_), ElementsAre("copy", "from", "scratch"));
}

TEST_P(Copy, SourcesThatAreNoFilesAndDestinationsThatAreNotThere) {
  write("from", "x");
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(run(FileCopySpec{path("none"), path("c"), false}).error().error.code, Errc::NotFound);
  EXPECT_FALSE(run(FileCopySpec{path("pipe"), path("c"), false}));
  EXPECT_FALSE(run(FileCopySpec{path("scratch"), path("c"), false}));
  EXPECT_EQ(run(FileCopySpec{path("from"), path("no/c"), false}).error().error.code,
            Errc::NotFound);
  EXPECT_FALSE(run(FileCopySpec{path("from"), root_.string(), true}));
  EXPECT_THAT(names(root_), ElementsAre("from", "pipe", "scratch"));
}

TEST_P(Copy, CancelMidwayLeavesNothing) {
  std::ofstream(root_ / "from").close();
  fs::resize_file(root_ / "from", 4ull << 30);
  auto attempt = context(FileCopySpec{path("from"), path("copy"), false});
  const auto done = cancel_when(*attempt, [&] { return attempt->done() > 0; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().error.code, Errc::Cancelled);
  EXPECT_THAT(names(root_), ElementsAre("from", "scratch"));
}

TEST_P(Copy, AFullDiskIsSaidAndLeavesNothing) {
  fs::create_directories(root_ / "small");
  if (::mount("tmpfs", path("small").c_str(), "tmpfs", 0, "size=1m") != 0)
    GTEST_SKIP() << "needs the right to mount a tmpfs";
  write("from", std::string(3 << 20, 'x'));
  const auto done = run(FileCopySpec{path("from"), path("small/copy"), false});
  EXPECT_FALSE(done);
  if (!done) {
    EXPECT_EQ(done.error().error.os_errno, ENOSPC) << done.error().message;
    EXPECT_NE(done.error().message.find("write"), std::string::npos) << done.error().message;
  }
  EXPECT_THAT(names(root_ / "small"), ElementsAre());
  ::umount2(path("small").c_str(), MNT_DETACH);
}

TEST_P(Copy, TheRemainsOfAnEarlierAttemptAreReplaced) {
  write("from", "whole");
  auto attempt = context(FileCopySpec{path("from"), path("copy"), false});
  write(".zokio-" + attempt->job().id.to_string() + ".part", "half of a crashed attempt");
  ASSERT_TRUE(run(*attempt));
  EXPECT_EQ(read(root_ / "copy"), "whole");
  EXPECT_THAT(names(root_), ElementsAre("copy", "from", "scratch"));
}

}  // namespace
}  // namespace zokiod::kinds
