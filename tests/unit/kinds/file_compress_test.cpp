// SPDX-License-Identifier: Apache-2.0
// file.compress and file.decompress: what comes back is what went in, or nothing is left.
#include <sys/mount.h>
#include <sys/stat.h>
#include <zstd.h>

#include <fmt/format.h>

#include "kind_fixture.h"
#include "kinds/digest.h"
#include "zokio/mem/pools.h"

namespace zokiod::kinds {
namespace {

using model::FileCompressResult;
using model::FileCompressSpec;
using model::FileDecompressSpec;
using Names = std::vector<std::string>;

std::string zstd_of(const std::string& content, int level = 1) {
  std::string out(ZSTD_compressBound(content.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), content.data(), content.size(), level));
  return out;
}

class FileCompressTest : public KindTest {
 protected:
  FileCompressSpec compress(const std::string& from, const std::string& to, int32_t level = 0,
                            bool overwrite = false) {
    return {in_root(from), in_root(to), overwrite, level};
  }
  FileDecompressSpec decompress(const std::string& from, const std::string& to,
                                uint64_t size_max = 0) {
    return {in_root(from), in_root(to), false, size_max};
  }
  void expect_corrupt(const std::string& content, const std::string& words) {
    write(in_root("bad.zst"), content);
    EXPECT_REPORT(run(decompress("bad.zst", "out")), Errc::DataLoss, "CORRUPT_INPUT",
                  in_root("bad.zst") + " is no whole zstd file: " + words);
    EXPECT_FALSE(std::filesystem::exists(in_root("out")));
  }
};

TEST_P(FileCompressTest, ThereAndBack) {
  for (const size_t size : {0u, 1u, 128u * 1024, 256u * 1024, 256u * 1024 + 1, 3u << 20}) {
    for (const int32_t level : {0, 19}) {
      if (level == 19 && size > 256 * 1024) continue;  // slow, and the same
      std::string content = noise(size, size + 1);
      for (size_t i = 0; i < size; ++i) content[i] = static_cast<char>(content[i] & 7);
      write(in_root("a"), content);
      FakeContext context(*runtime_, policy(), compress("a", "a.zst", level));
      const auto packed = run(context);
      ASSERT_OK(packed);
      const auto& result = std::get<FileCompressResult>(packed->result);
      EXPECT_EQ(result.bytes_read, size);
      EXPECT_EQ(result.bytes_written, std::filesystem::file_size(in_root("a.zst")));
      if (size > 1000) EXPECT_LT(result.bytes_written, size / 2);
      Digest digest;
      digest.update(content);
      EXPECT_EQ(result.xxh3, digest.xxh3());
      EXPECT_EQ(result.sha256, digest.sha256());
      const auto back = run(decompress("a.zst", "b"));
      ASSERT_OK(back);
      EXPECT_EQ(std::get<FileCompressResult>(back->result),
                (FileCompressResult{result.bytes_written, size, result.xxh3, result.sha256}));
      EXPECT_TRUE(read(in_root("b")) == content);
      EXPECT_TRUE(read(in_root("a")) == content);
      EXPECT_EQ(names(root()), (Names{"a", "a.zst", "b"}));
      for (const char* made : {"a.zst", "b"}) std::filesystem::remove(in_root(made));
    }
  }
}

TEST_P(FileCompressTest, FilesOfOthersWithSeveralFrames) {
  write(in_root("two.zst"), zstd_of("first, ") + zstd_of("second"));
  ASSERT_OK(run(decompress("two.zst", "out")));
  EXPECT_EQ(read(in_root("out")), "first, second");
}

TEST_P(FileCompressTest, DamagedInputIsNamedAndLeavesNothing) {
  write(in_root("a"), noise(600'000));
  ASSERT_OK(run(compress("a", "a.zst")));
  const std::string good = read(in_root("a.zst"));
  expect_corrupt("", "it ends before its frame does");
  expect_corrupt("no zstd at all", "Unknown frame descriptor");
  expect_corrupt(good.substr(0, good.size() - 1), "it ends before its frame does");
  expect_corrupt(good.substr(0, 300'000), "it ends before its frame does");
  expect_corrupt(good + "x", "Unknown frame descriptor");
  std::string flipped = good;
  flipped[400'000] = static_cast<char>(flipped[400'000] ^ 1);
  expect_corrupt(flipped, "Restored data doesn't match checksum");
  EXPECT_EQ(names(root()), (Names{"a", "a.zst", "bad.zst"}));
}

// 64 MiB of zeros in 6 KiB.
TEST_P(FileCompressTest, ABombIsStoppedAtItsLimitWithBoundedMemory) {
  write(in_root("bomb.zst"), zstd_of(std::string(64 << 20, '\0')));
  const auto before = zokio::mem::snapshot(zokio::mem::PoolId::Buffers).objects_in_use;
  EXPECT_REPORT(
      run(decompress("bomb.zst", "out", 1 << 20)), Errc::ResourceExhausted, "CONTENT_TOO_LARGE",
      fmt::format("the content of {} is above size_max_bytes, {}", in_root("bomb.zst"), 1 << 20));
  EXPECT_EQ(names(root()), Names{"bomb.zst"});
  EXPECT_EQ(zokio::mem::snapshot(zokio::mem::PoolId::Buffers).objects_in_use, before);
  ASSERT_OK(run(decompress("bomb.zst", "out", 64 << 20))) << "exactly as large as allowed";
}

TEST_P(FileCompressTest, DamageOnTheWayIsFoundAndLeavesNothing) {
  constexpr uint64_t kSize = 1 << 20;
  write(in_root("a"), noise(kSize));
  write(in_root("a.zst"), "old");
  FakeContext context(*runtime_, policy(), compress("a", "a.zst", 0, true));
  const std::string part = in_root(".zokio-" + context.job().id.to_string() + ".part");
  context.on_progress = [&](uint64_t done) {
    if (done <= kSize) return;  // the first block that is read back: damage a later one
    std::fstream file(part, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(kSize - 1000);
    file.put('x');
    file.put('y');
  };
  const auto done = run(context);
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().reason, "VERIFY_FAILED");
  EXPECT_EQ(read(in_root("a.zst")), "old");
  EXPECT_EQ(names(root()), (Names{"a", "a.zst"}));
}

TEST_P(FileCompressTest, CancelledAnywhereLeavesNothing) {
  write(in_root("a"), noise(2 << 20));
  for (const uint64_t at : {uint64_t{1}, uint64_t{1} << 20, uint64_t{3} << 20}) {
    FakeContext context(*runtime_, policy(), compress("a", "a.zst"));
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
    EXPECT_EQ(names(root()), Names{"a"}) << at;
  }
}

TEST_P(FileCompressTest, RefusedBeforeItRuns) {
  EXPECT_EQ(violations(FileCompressSpec{"/a", "/a", true, 20}),
            (Violations{{"spec.file_compress.destination", "is the source"},
                        {"spec.file_compress.level", "20 is not between 1 and 19"}}));
  EXPECT_EQ(violations(FileCompressSpec{"/a", "/b", true, -1}),
            (Violations{{"spec.file_compress.level", "-1 is not between 1 and 19"}}));
  EXPECT_EQ(violations(FileDecompressSpec{"", "b", false, 0}),
            (Violations{{"spec.file_decompress.source", "is missing"},
                        {"spec.file_decompress.destination", "\"b\" is not an absolute path"}}));
  EXPECT_REPORT(authorized(FileCompressSpec{outside("a"), in_root("b"), false, 0}, policy()),
                Errc::PermissionDenied, "PATH_NOT_ALLOWED",
                outside("a") + " is below none of policy.roots: " + root());
  EXPECT_REPORT(authorized(FileDecompressSpec{in_root("a"), outside("b"), false, 0}, policy()),
                Errc::PermissionDenied, "PATH_NOT_ALLOWED",
                outside("b") + " is below none of policy.roots: " + root());
  write(in_root("a"), "x");
  write(in_root("b"), "old");
  EXPECT_REPORT(run(compress("a", "b")), Errc::AlreadyExists, "ALREADY_EXISTS",
                "write to " + in_root("b") + ": create: ALREADY_EXISTS (EEXIST: File exists)");
  EXPECT_EQ(read(in_root("b")), "old");
}

KIND_MATRIX(FileCompressTest);

}  // namespace
}  // namespace zokiod::kinds
