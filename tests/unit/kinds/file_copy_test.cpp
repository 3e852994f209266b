// SPDX-License-Identifier: Apache-2.0
// file.copy: the destination is whole or as it was, whatever happens on the way.
#include <openssl/sha.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <fmt/format.h>

#include "kind_fixture.h"

namespace zokiod::kinds {
namespace {

using model::FileCopyResult;
using model::FileCopySpec;
using Names = std::vector<std::string>;

std::string sha256_of(const std::string& text) {
  unsigned char bytes[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), bytes);
  std::string out;
  for (const unsigned char b : bytes) out += fmt::format("{:02x}", b);
  return out;
}
std::string xxh3_of(const std::string& text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

class FileCopyTest : public KindTest {
 protected:
  FileCopySpec copy(const std::string& from, const std::string& to, bool overwrite = false) {
    return {in_root(from), in_root(to), overwrite};
  }
};

TEST_P(FileCopyTest, ContentIsEqualAndItsDigestsAreThoseOfOthers) {
  // Nothing, less than a block, exactly a block, one more, several.
  for (const size_t size : {0u, 1u, 256u * 1024, 256u * 1024 + 1, 1u << 20}) {
    const std::string content = noise(size, size + 1);
    write(in_root("from"), content);
    FakeContext context(*runtime_, policy(), copy("from", "to", true));
    const auto done = run(context);
    ASSERT_OK(done);
    ASSERT_TRUE(done->ok());
    const auto& result = std::get<FileCopyResult>(done->result);
    EXPECT_EQ(result.bytes, size);
    EXPECT_EQ(result.sha256, sha256_of(content));
    EXPECT_EQ(result.xxh3, xxh3_of(content));
    EXPECT_TRUE(read(in_root("to")) == content) << size;
    EXPECT_TRUE(read(in_root("from")) == content) << size;
    EXPECT_EQ(names(root()), (Names{"from", "to"}));
    EXPECT_EQ(context.log(), fmt::format("{} bytes, sha256 {}\n", size, result.sha256));
    EXPECT_EQ(context.most_done, 2 * size) << "written, and read back";
  }
}

TEST_P(FileCopyTest, PermissionBitsComeAlong) {
  write(in_root("from"), "#!/bin/sh\n");
  ::chmod(in_root("from").c_str(), 0500);
  ASSERT_OK(run(copy("from", "to")));
  struct stat attributes{};
  ASSERT_EQ(::stat(in_root("to").c_str(), &attributes), 0);
  EXPECT_EQ(attributes.st_mode & 0777, 0500u);
}

TEST_P(FileCopyTest, AnExistingDestinationStaysUnlessAskedFor) {
  write(in_root("from"), "new");
  write(in_root("to"), "old");
  EXPECT_REPORT(run(copy("from", "to")), Errc::AlreadyExists, "ALREADY_EXISTS",
                "write to " + in_root("to") + ": create: ALREADY_EXISTS (EEXIST: File exists)");
  EXPECT_EQ(read(in_root("to")), "old");
  EXPECT_EQ(names(root()), (Names{"from", "to"}));
  ASSERT_OK(run(copy("from", "to", true)));
  EXPECT_EQ(read(in_root("to")), "new");
  // A link in its place is replaced, not written through.
  write(outside("victim"), "untouched");
  std::filesystem::create_symlink(outside("victim"), in_root("link"));
  EXPECT_FALSE(run(copy("from", "link")).has_value());
  ASSERT_OK(run(copy("from", "link", true)));
  EXPECT_EQ(read(outside("victim")), "untouched");
  EXPECT_FALSE(std::filesystem::is_symlink(in_root("link")));
  EXPECT_EQ(read(in_root("link")), "new");
}

// The name is taken while the copy runs: the rename decides.
TEST_P(FileCopyTest, ADestinationThatAppearsMeanwhileStays) {
  write(in_root("from"), noise(1 << 20));
  FakeContext context(*runtime_, policy(), copy("from", "to"));
  context.on_progress = [&](uint64_t) { write(in_root("to"), "somebody else's"); };
  const auto done = run(context);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().reason, "ALREADY_EXISTS");
  EXPECT_EQ(read(in_root("to")), "somebody else's");
  EXPECT_EQ(names(root()), (Names{"from", "to"}));
}

TEST_P(FileCopyTest, SourcesThatCannotBeRead) {
  EXPECT_REPORT(
      run(copy("none", "to")), Errc::NotFound, "NOT_FOUND",
      "open " + in_root("none") + ": open: NOT_FOUND (ENOENT: No such file or directory)");
  ASSERT_EQ(::mkfifo(in_root("fifo").c_str(), 0600), 0);
  EXPECT_REPORT(run(copy("fifo", "to")), Errc::FailedPrecondition, "FAILED_PRECONDITION",
                "open " + in_root("fifo") + ": open: FAILED_PRECONDITION");
  std::filesystem::create_directory(in_root("dir"));
  EXPECT_FALSE(run(copy("dir", "to")).has_value());
  write(outside("secret"), "secret");
  std::filesystem::create_symlink(outside("secret"), in_root("link"));
  EXPECT_REPORT(run(copy("link", "to")), Errc::PermissionDenied, "PERMISSION_DENIED",
                "open " + in_root("link") +
                    ": open: PERMISSION_DENIED (ELOOP: Too many levels of symbolic links)");
  EXPECT_EQ(names(root()), (Names{"dir", "fifo", "link"})) << "no destination, nothing temporary";
}

TEST_P(FileCopyTest, DestinationsThatCannotBeWritten) {
  write(in_root("from"), "x");
  EXPECT_REPORT(run(copy("from", "none/to")), Errc::NotFound, "NOT_FOUND",
                "open the directory of " + in_root("none/to") +
                    ": open: NOT_FOUND (ENOENT: No such file or directory)");
  // A directory that leads out of the root.
  std::filesystem::create_symlink(outside(""), in_root("way_out"));
  const auto escaped = run(copy("from", "way_out/to"));
  ASSERT_FALSE(escaped.has_value());
  EXPECT_THAT(escaped.error().error.os_errno, testing::AnyOf(ELOOP, ENOTDIR));
  EXPECT_TRUE(names(outside("")).empty());
  EXPECT_REPORT(run(FileCopySpec{in_root("from"), root(), true}), Errc::FailedPrecondition,
                "FAILED_PRECONDITION", "replace " + root() + ": open: FAILED_PRECONDITION");
  EXPECT_EQ(names(root()), (Names{"from", "way_out"}));
}

TEST_P(FileCopyTest, RefusedBeforeItRuns) {
  EXPECT_REPORT(authorized(FileCopySpec{in_root("from"), outside("to"), false}, policy()),
                Errc::PermissionDenied, "PATH_NOT_ALLOWED",
                outside("to") + " is below none of policy.roots: " + root());
  EXPECT_REPORT(authorized(FileCopySpec{outside("from"), in_root("to"), false}, policy()),
                Errc::PermissionDenied, "PATH_NOT_ALLOWED",
                outside("from") + " is below none of policy.roots: " + root());
  EXPECT_TRUE(authorized(copy("from", "to"), policy()).has_value());
  const Violations found = violations(FileCopySpec{"", in_root("../outside/to"), false});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0], (model::FieldViolation{"spec.file_copy.source", "is missing"}));
  EXPECT_EQ(found[1].field, "spec.file_copy.destination");
}

TEST_P(FileCopyTest, AFullDiskLeavesNothing) {
  const std::string disk = in_root("disk");
  std::filesystem::create_directory(disk);
  if (::mount("none", disk.c_str(), "tmpfs", 0, "size=1m") != 0)
    GTEST_SKIP() << "a disk of its own cannot be mounted here";
  const std::string content = noise(4 << 20);
  write(in_root("from"), content);
  write(disk + "/old", "old");
  const auto fresh = run(copy("from", "disk/to"));
  const auto replaced = run(copy("from", "disk/old", true));
  const Names left = names(disk);
  const std::string old = read(disk + "/old");
  // Afterwards there is room again.
  write(in_root("small"), noise(512 * 1024));
  const auto small = run(copy("small", "disk/small"));
  EXPECT_EQ(::umount2(disk.c_str(), MNT_DETACH), 0);
  EXPECT_REPORT(
      fresh, Errc::ResourceExhausted, "RESOURCE_EXHAUSTED",
      "write " + disk + "/to: write: RESOURCE_EXHAUSTED (ENOSPC: No space left on device)");
  EXPECT_FALSE(replaced.has_value());
  EXPECT_EQ(left, Names{"old"});
  EXPECT_EQ(old, "old");
  EXPECT_TRUE(read(in_root("from")) == content);
  EXPECT_OK(small);
}

// At the first block, in the middle, while it is read back, at its last block.
TEST_P(FileCopyTest, CancelledAnywhereLeavesNothing) {
  const std::string content = noise(2 << 20);
  write(in_root("from"), content);
  write(in_root("to"), "old");
  for (const uint64_t at : {uint64_t{1}, uint64_t{1} << 20, uint64_t{3} << 20, uint64_t{4} << 20}) {
    FakeContext context(*runtime_, policy(), copy("from", "to", true));
    // Holds the copy there until the cancel has been asked for.
    std::atomic<bool> reached{false}, asked{false};
    context.on_progress = [&](uint64_t done) {
      if (done < at) return;
      reached = true;
      zokio::test::eventually([&] { return asked.load(); });
    };
    auto handle = runtime_->spawn(&run_kind, &context);
    EXPECT_TRUE(zokio::test::eventually([&] { return reached.load(); }));
    handle.cancel();
    asked = true;
    static_cast<void>(runtime_->block_on(&joined, &handle));
    ASSERT_FALSE(context.result.has_value()) << at;
    EXPECT_EQ(context.result.error().error.code, Errc::Cancelled) << at;
    EXPECT_EQ(read(in_root("to")), "old") << at;
    EXPECT_EQ(names(root()), (Names{"from", "to"})) << at;
    EXPECT_TRUE(read(in_root("from")) == content) << at;
  }
}

// One bit changes between the writing and the reading back.
TEST_P(FileCopyTest, DamageOnTheWayIsFoundAndLeavesNothing) {
  constexpr uint64_t kSize = 1 << 20;
  const std::string content = noise(kSize);
  write(in_root("from"), content);
  write(in_root("to"), "old");
  FakeContext context(*runtime_, policy(), copy("from", "to", true));
  const std::string part = in_root(".zokio-" + context.job().id.to_string() + ".part");
  context.on_progress = [&](uint64_t done) {
    if (done <= kSize) return;  // the first block that is read back: damage the last one
    std::fstream file(part, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(kSize - 1);
    file.put(static_cast<char>(content.back() ^ 1));
  };
  const auto done = run(context);
  std::string damaged = content;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  EXPECT_REPORT(done, Errc::DataLoss, "VERIFY_FAILED",
                fmt::format("{}: wrote {} bytes with SHA-256 {}, read back {} bytes with {}",
                            in_root("to"), kSize, sha256_of(content), kSize, sha256_of(damaged)));
  EXPECT_EQ(read(in_root("to")), "old");
  EXPECT_EQ(names(root()), (Names{"from", "to"}));
}

// What a crash left of the same job's attempt is in nobody's way.
TEST_P(FileCopyTest, TheRestOfAnInterruptedAttemptIsReplaced) {
  write(in_root("from"), "content");
  FakeContext context(*runtime_, policy(), copy("from", "to"));
  write(in_root(".zokio-" + context.job().id.to_string() + ".part"), noise(4096));
  ASSERT_OK(run(context));
  EXPECT_EQ(read(in_root("to")), "content");
  EXPECT_EQ(names(root()), (Names{"from", "to"}));
}

KIND_MATRIX(FileCopyTest);

}  // namespace
}  // namespace zokiod::kinds
