// SPDX-License-Identifier: Apache-2.0
// file.checksum: its digests are those of others, and nothing leads it out of its roots.
#include <openssl/sha.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <xxhash.h>

#include <fmt/format.h>

#include <map>

#include "kind_fixture.h"

namespace zokiod::kinds {
namespace {

using model::FileChecksumResult;
using model::FileChecksumSpec;

std::string hex(const unsigned char* bytes, size_t size) {
  std::string out;
  for (size_t i = 0; i < size; ++i) out += fmt::format("{:02x}", bytes[i]);
  return out;
}
std::string sha256_of(const std::string& text) {
  unsigned char out[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out);
  return hex(out, sizeof out);
}
std::string xxh3_of(const std::string& text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}
// The manifest as documented, of files by their relative name.
std::string manifest_of(const std::map<std::string, std::string>& files) {
  std::string out;
  for (const auto& [name, content] : files)
    out +=
        fmt::format("{}  {}  {}  {}\n", sha256_of(content), xxh3_of(content), content.size(), name);
  return out;
}

class FileChecksumTest : public KindTest {
 protected:
  void make_tree(const std::string& path, const std::map<std::string, std::string>& files) {
    for (const auto& [name, content] : files) write(path + "/" + name, content);
  }
  FileChecksumResult checksum(const std::string& path, const std::string& manifest = {}) {
    const auto done = run(FileChecksumSpec{path, manifest});
    if (!done) {
      ADD_FAILURE() << done.error().message;
      return {};
    }
    EXPECT_TRUE(done->ok());
    return std::get<FileChecksumResult>(done->result);
  }
};

// Sizes around the block of 256 KiB: none, less, exactly one, one more, two and a half.
const std::map<std::string, std::string> kFiles = {
    {"a", "alpha"},
    {"b/empty", ""},
    {"b/c/one", std::string(1, 'x')},
    {"b/c/block", noise(256 * 1024, 2)},
    {"b/c/block+1", noise(256 * 1024 + 1, 3)},
    {"large", noise(640 * 1024, 4)},
    {"z", "omega"},
};

TEST_P(FileChecksumTest, DigestsAreThoseOfOthers) {
  make_tree(in_root("tree"), kFiles);
  const std::string expected = manifest_of(kFiles);
  const FileChecksumResult got = checksum(in_root("tree"), in_root("manifest"));
  EXPECT_EQ(read(in_root("manifest")), expected);
  EXPECT_EQ(got.sha256, sha256_of(expected));
  EXPECT_EQ(got.xxh3, xxh3_of(expected));
  EXPECT_EQ(got.files, kFiles.size());
  uint64_t bytes = 0;
  for (const auto& [name, content] : kFiles) bytes += content.size();
  EXPECT_EQ(got.bytes, bytes);
  EXPECT_EQ(got.skipped, 0u);
  EXPECT_EQ(got.manifest_path, in_root("manifest"));
  EXPECT_EQ(names(root()), (std::vector<std::string>{"manifest", "tree"}));
}

// Equal trees made in another order have equal results; one changed byte, another one.
TEST_P(FileChecksumTest, OrderOfCreationDoesNotCountContentDoes) {
  make_tree(in_root("one"), kFiles);
  for (auto it = kFiles.rbegin(); it != kFiles.rend(); ++it)
    write(in_root("two/" + it->first), it->second);
  const FileChecksumResult one = checksum(in_root("one"));
  const FileChecksumResult two = checksum(in_root("two"));
  EXPECT_EQ(one.sha256, two.sha256);
  EXPECT_EQ(one.xxh3, two.xxh3);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(checksum(in_root("one")).sha256, one.sha256);
  std::string changed = kFiles.at("large");
  changed[changed.size() - 1] ^= 1;
  write(in_root("two/large"), changed);
  EXPECT_NE(checksum(in_root("two")).sha256, one.sha256);
  EXPECT_NE(checksum(in_root("two")).xxh3, one.xxh3);
  std::filesystem::rename(in_root("one/a"), in_root("one/a2"));
  EXPECT_NE(checksum(in_root("one")).sha256, one.sha256);
}

TEST_P(FileChecksumTest, OneFileIsATreeOfOne) {
  write(in_root("dir/file"), "content");
  const FileChecksumResult got = checksum(in_root("dir/file"));
  EXPECT_EQ(got.files, 1u);
  EXPECT_EQ(got.sha256, sha256_of(manifest_of({{"file", "content"}})));
  write(in_root("top"), "content");
  EXPECT_EQ(checksum(in_root("top")).sha256, sha256_of(manifest_of({{"top", "content"}})));
}

TEST_P(FileChecksumTest, EmptyFileEmptyTreeAndSparseFile) {
  write(in_root("empty"), "");
  EXPECT_EQ(checksum(in_root("empty")).sha256, sha256_of(manifest_of({{"empty", ""}})));
  std::filesystem::create_directory(in_root("nothing"));
  const FileChecksumResult none = checksum(in_root("nothing"));
  EXPECT_EQ(none.files, 0u);
  EXPECT_EQ(none.sha256, sha256_of(""));
  // 3 MiB of which only the end is there.
  write(in_root("sparse/file"), "");
  std::filesystem::resize_file(in_root("sparse/file"), 3 << 20);
  {
    std::ofstream(in_root("sparse/file"), std::ios::app) << "end";
  }
  const FileChecksumResult sparse = checksum(in_root("sparse"));
  EXPECT_EQ(sparse.bytes, (3u << 20) + 3);
  EXPECT_EQ(sparse.sha256, sha256_of(manifest_of({{"file", std::string(3 << 20, '\0') + "end"}})));
}

TEST_P(FileChecksumTest, NamesThatWouldBreakLinesAreEscaped) {
  make_tree(in_root("odd"), {{"back\\slash", "1"}, {"new\nline", "2"}, {"ret\rurn", "3"}});
  const FileChecksumResult got = checksum(in_root("odd"));
  EXPECT_EQ(
      got.sha256,
      sha256_of(manifest_of({{"back\\\\slash", "1"}, {"new\\nline", "2"}, {"ret\\rurn", "3"}})));
}

TEST_P(FileChecksumTest, WhatIsNotThere) {
  EXPECT_REPORT(
      run(FileChecksumSpec{in_root("none"), {}}), Errc::NotFound, "NOT_FOUND",
      "open " + in_root("none") + ": open: NOT_FOUND (ENOENT: No such file or directory)");
  write(in_root("file"), "x");
  const auto below = run(FileChecksumSpec{in_root("file/x"), {}});
  ASSERT_FALSE(below.has_value());
  EXPECT_EQ(below.error().error.os_errno, ENOTDIR);
}

// Links inside the tree are counted and never followed, wherever they lead.
TEST_P(FileChecksumTest, LinksAreNotFollowed) {
  write(outside("secret"), "secret");
  write(outside("dir/secret"), "secret");
  make_tree(in_root("tree"), {{"file", "plain"}});
  std::filesystem::create_symlink(outside("secret"), in_root("tree/to_file"));
  std::filesystem::create_symlink(outside("dir"), in_root("tree/to_dir"));
  std::filesystem::create_symlink("../../outside/secret", in_root("tree/relative"));
  std::filesystem::create_symlink("file", in_root("tree/inside"));
  std::filesystem::create_symlink("nowhere", in_root("tree/dangling"));
  const FileChecksumResult got = checksum(in_root("tree"));
  EXPECT_EQ(got.files, 1u);
  EXPECT_EQ(got.skipped, 5u);
  EXPECT_EQ(got.sha256, sha256_of(manifest_of({{"file", "plain"}})));
  // Named itself, or on the way: refused.
  for (const char* path : {"tree/to_file", "tree/to_dir", "tree/to_dir/secret", "tree/inside"}) {
    const auto through = run(FileChecksumSpec{in_root(path), {}});
    ASSERT_FALSE(through.has_value()) << path;
    EXPECT_THAT(through.error().error.os_errno, testing::AnyOf(ELOOP, ENOTDIR)) << path;
    EXPECT_THAT(through.error().message, testing::HasSubstr("open " + in_root(path)));
  }
  // Nor is a manifest written through one.
  std::filesystem::create_symlink(outside(""), in_root("way_out"));
  EXPECT_FALSE(run(FileChecksumSpec{in_root("tree"), in_root("way_out/m")}).has_value());
  EXPECT_EQ(names(outside("")), (std::vector<std::string>{"dir", "secret"}));
}

// A file that becomes a link between the walk and the reading.
TEST_P(FileChecksumTest, AFileThatBecomesALinkIsNotFollowed) {
  write(outside("secret"), noise(64 * 1024, 9));
  // The first, read by one of four tasks, changes the last, which is far behind.
  for (int i = 0; i < 64; ++i) write(in_root(fmt::format("tree/{:02}", i)), noise(256 * 1024, 5));
  FakeContext context(*runtime_, policy(), FileChecksumSpec{in_root("tree"), {}});
  std::once_flag once;  // the other tasks wait for the change
  context.on_progress = [&](uint64_t) {
    std::call_once(once, [&] {
      std::filesystem::remove(in_root("tree/63"));
      std::filesystem::create_symlink(outside("secret"), in_root("tree/63"));
    });
  };
  EXPECT_REPORT(run(context), Errc::PermissionDenied, "PERMISSION_DENIED",
                "read 63: open: PERMISSION_DENIED (ELOOP: Too many levels of symbolic links)");
}

// Opening a FIFO waits for a writer, and a socket cannot be opened: neither may hang.
TEST_P(FileChecksumTest, SpecialFiles) {
  make_tree(in_root("tree"), {{"file", "plain"}});
  ASSERT_EQ(::mkfifo(in_root("tree/fifo").c_str(), 0600), 0);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = in_root("tree/socket");
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(socket);
  const FileChecksumResult got = checksum(in_root("tree"));
  EXPECT_EQ(got.files, 1u);
  EXPECT_EQ(got.skipped, 2u);
  EXPECT_REPORT(run(FileChecksumSpec{in_root("tree/fifo"), {}}), Errc::FailedPrecondition,
                "FAILED_PRECONDITION",
                "open " + in_root("tree/fifo") + ": open: FAILED_PRECONDITION");
  const auto refused = run(FileChecksumSpec{in_root("tree/socket"), {}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.os_errno, ENXIO);
}

// Root is refused nothing: as somebody else, from before the runtime's threads on.
class UnprivilegedTest : public FileChecksumTest {
 protected:
  void SetUp() override {
    if (was_root_) {
      ASSERT_EQ(::chown(directory_.path().c_str(), kNobody, kNobody), 0);
      ASSERT_EQ(::seteuid(kNobody), 0);
      ::prctl(PR_SET_DUMPABLE, 1);  // or /proc/self would be root's
    }
    FileChecksumTest::SetUp();
  }
  void TearDown() override {
    FileChecksumTest::TearDown();
    if (was_root_) EXPECT_EQ(::seteuid(0), 0);
  }

 private:
  static constexpr uid_t kNobody = 65534;
  const bool was_root_ = ::geteuid() == 0;
};

TEST_P(UnprivilegedTest, NoPermission) {
  make_tree(in_root("tree"), {{"closed", "x"}, {"open", "y"}});
  const std::string manifest = in_root("manifest");
  std::filesystem::permissions(in_root("tree/closed"), std::filesystem::perms::none);
  EXPECT_REPORT(run(FileChecksumSpec{in_root("tree"), manifest}), Errc::PermissionDenied,
                "PERMISSION_DENIED",
                "read closed: open: PERMISSION_DENIED (EACCES: Permission denied)");
  EXPECT_EQ(names(root()), std::vector<std::string>{"tree"});
  // Lost between the walk and the reading.
  for (int i = 0; i < 64; ++i) write(in_root(fmt::format("more/{:02}", i)), noise(256 * 1024, 5));
  FakeContext context(*runtime_, policy(), FileChecksumSpec{in_root("more"), manifest});
  std::once_flag once;  // the other tasks wait for the change
  context.on_progress = [&](uint64_t) {
    std::call_once(once, [&] {
      std::filesystem::permissions(in_root("more/63"), std::filesystem::perms::none);
    });
  };
  EXPECT_REPORT(run(context), Errc::PermissionDenied, "PERMISSION_DENIED",
                "read 63: open: PERMISSION_DENIED (EACCES: Permission denied)");
  std::filesystem::permissions(in_root("tree"), std::filesystem::perms::none);
  EXPECT_REPORT(
      run(FileChecksumSpec{in_root("tree"), {}}), Errc::PermissionDenied, "PERMISSION_DENIED",
      "open " + in_root("tree") + ": open: PERMISSION_DENIED (EACCES: Permission denied)");
  std::filesystem::permissions(in_root("tree"), std::filesystem::perms::owner_all);
}

TEST_P(FileChecksumTest, CancelledInTheMiddle) {
  for (int i = 0; i < 32; ++i) write(in_root(fmt::format("tree/{}", i)), noise(1 << 20, 7));
  FakeContext context(*runtime_, policy(), FileChecksumSpec{in_root("tree"), in_root("manifest")});
  // Holds the workers until the cancel has been asked for, so that it never comes too late.
  std::atomic<bool> asked{false};
  context.on_progress = [&](uint64_t) { zokio::test::eventually([&] { return asked.load(); }); };
  auto handle = runtime_->spawn(&run_kind, &context);
  ASSERT_TRUE(zokio::test::eventually([&] { return context.most_done > 0; }));
  handle.cancel();
  asked = true;
  static_cast<void>(runtime_->block_on(&joined, &handle));
  ASSERT_FALSE(context.result.has_value());
  EXPECT_EQ(context.result.error().error.code, Errc::Cancelled);
  EXPECT_EQ(context.result.error().reason, "CANCELLED");
  EXPECT_LT(context.most_done, 32u << 20);
  EXPECT_EQ(names(root()), std::vector<std::string>{"tree"});
}

TEST_P(FileChecksumTest, RefusedBeforeItRuns) {
  const Policy allowed = policy();
  EXPECT_REPORT(authorized(FileChecksumSpec{outside("x"), {}}, allowed), Errc::PermissionDenied,
                "PATH_NOT_ALLOWED", outside("x") + " is below none of policy.roots: " + root());
  EXPECT_REPORT(authorized(FileChecksumSpec{in_root("x"), outside("m")}, allowed),
                Errc::PermissionDenied, "PATH_NOT_ALLOWED",
                outside("m") + " is below none of policy.roots: " + root());
  // The name of a root as the start of another name is not below it.
  EXPECT_FALSE(authorized(FileChecksumSpec{root() + "2/x", {}}, allowed).has_value());
  EXPECT_TRUE(authorized(FileChecksumSpec{root(), {}}, allowed).has_value());
  EXPECT_REPORT(authorized(FileChecksumSpec{in_root("x"), {}}, Policy{}), Errc::PermissionDenied,
                "PATH_NOT_ALLOWED", in_root("x") + " is not allowed: policy.roots is empty");
  EXPECT_FALSE(kFileChecksum.allowed(Policy{}));
  EXPECT_TRUE(kFileChecksum.allowed(allowed));
  const Violations found = violations(FileChecksumSpec{in_root("../outside/x"), "relative"});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].field, "spec.file_checksum.path");
  EXPECT_EQ(found[1].field, "spec.file_checksum.manifest_path");
  EXPECT_EQ(found[1].description, "\"relative\" is not an absolute path");
}

KIND_MATRIX(FileChecksumTest);
KIND_MATRIX(UnprivilegedTest);

}  // namespace
}  // namespace zokiod::kinds
