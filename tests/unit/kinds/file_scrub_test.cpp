// SPDX-License-Identifier: Apache-2.0
// file.scrub: finds what is damaged, missing or unreadable, says where, and goes on from a record.
#include <sys/stat.h>

#include <fmt/format.h>

#include "kind_fixture.h"
#include "kinds/manifest.h"

namespace zokiod::kinds {
namespace {

using model::FileChecksumSpec;
using model::FileScrubResult;
using model::FileScrubSpec;
using Names = std::vector<std::string>;
using testing::HasSubstr;

// Of nothing, of "abc": from FIPS 180-2.
constexpr const char* kEmptySha =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kAbcSha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

class FileScrubTest : public KindTest {
 protected:
  FileScrubSpec scrub(uint64_t rate = 0, const std::string& progress = "") {
    return {in_root("tree"), in_root("manifest"), rate, progress.empty() ? "" : in_root(progress)};
  }
  void make_manifest() { ASSERT_OK(run(FileChecksumSpec{in_root("tree"), in_root("manifest")})); }
};

TEST_P(FileScrubTest, AWholeTreeIsWhole) {
  write(in_root("tree/a"), noise(600'000));
  write(in_root("tree/sub/b"), "");
  write(in_root("tree/sub/line\nbreak\\"), "abc");
  make_manifest();
  FakeContext context(*runtime_, policy(), scrub());
  const auto done = run(context);
  ASSERT_OK(done);
  EXPECT_TRUE(done->ok()) << done->error.message;
  EXPECT_EQ(std::get<FileScrubResult>(done->result), (FileScrubResult{3, 600'003, 0, 0, 0, 0}));
  EXPECT_EQ(context.last_total, 600'003u);
  EXPECT_EQ(context.log(), "3 files, 600003 bytes: 0 damaged, 0 missing, 0 unreadable\n");
}

TEST_P(FileScrubTest, ManifestsOfOtherToolsAreRead) {
  write(in_root("tree/abc"), "abc");
  write(in_root("tree/two  spaces"), "");
  write(in_root("tree/new\nline"), "abc");
  write(in_root("manifest"), fmt::format("{0}  ./abc\n{1} *two  spaces\n\n\\{0}  new\\nline\n"
                                         "{0}  abc",  // the last without its newline
                                         kAbcSha, kEmptySha));
  const auto done = run(scrub());
  ASSERT_OK(done);
  EXPECT_TRUE(done->ok()) << done->error.message;
  EXPECT_EQ(std::get<FileScrubResult>(done->result).files, 4u);
}

TEST_P(FileScrubTest, EveryKindOfDamageIsNamedAndTheRestIsRead) {
  for (const char* name : {"cut", "fifo", "flipped", "gone", "link", "whole"})
    write(in_root(std::string("tree/") + name), noise(300'000));
  make_manifest();
  std::string content = noise(300'000);
  content[299'999] = static_cast<char>(content[299'999] ^ 1);
  write(in_root("tree/flipped"), content);
  write(in_root("tree/cut"), noise(299'999));
  std::filesystem::remove(in_root("tree/gone"));
  // A link to an equal file, and a FIFO, which must not be waited for.
  write(outside("equal"), noise(300'000));
  std::filesystem::remove(in_root("tree/link"));
  std::filesystem::create_symlink(outside("equal"), in_root("tree/link"));
  std::filesystem::remove(in_root("tree/fifo"));
  ASSERT_EQ(::mkfifo(in_root("tree/fifo").c_str(), 0600), 0);
  FakeContext context(*runtime_, policy(), scrub());
  const auto done = run(context);
  ASSERT_OK(done);
  EXPECT_EQ(std::get<FileScrubResult>(done->result), (FileScrubResult{6, 899'999, 2, 3, 0, 0}));
  EXPECT_EQ(done->error.code, Errc::DataLoss);
  EXPECT_EQ(done->error.reason, "VERIFY_FAILED");
  EXPECT_EQ(done->error.message,
            "5 of 6 files: 2 damaged, 3 missing, 0 unreadable; first: cut: 299999 bytes, want "
            "300000");
  EXPECT_THAT(context.log(), HasSubstr("flipped: SHA-256 "));
  EXPECT_THAT(context.log(), HasSubstr("gone: missing\n"));
  EXPECT_THAT(context.log(), HasSubstr("link: no regular file\n"));
  EXPECT_THAT(context.log(), HasSubstr("fifo: no regular file\n"));
}

TEST_P(FileScrubTest, BadManifestsAreRefusedBeforeAnyFileIsRead) {
  write(in_root("tree/abc"), "abc");
  const std::string good = fmt::format("{}  abc\n", kAbcSha);
  struct Bad {
    std::string line, wrong;
  };
  const Bad table[] = {
      {"abc", "does not begin with a SHA-256 of 64 digits"},
      {std::string(64, 'g') + "  abc", "does not begin with a SHA-256 of 64 digits"},
      {std::string(kAbcSha) + " abc", "has no two spaces after the SHA-256"},
      {std::string(kAbcSha) + "  ", "no path"},
      {std::string(kAbcSha) + "  /etc/passwd",
       "the path is absolute, want one relative to the tree"},
      {std::string(kAbcSha) + "  a/../../b", "the path has \"..\""},
      {std::string("\\") + kAbcSha + "  a\\q", "the path has a bad escape"},
      {std::string(kAbcSha) + "  " + std::string(5000, 'x'), "the path is too long"},
      {std::string(20'000, 'x'), "is too long"},
  };
  for (const Bad& bad : table) {
    write(in_root("manifest"), good + bad.line + "\n" + good);
    FakeContext context(*runtime_, policy(), scrub());
    EXPECT_REPORT(run(context), Errc::InvalidArgument, "BAD_MANIFEST",
                  in_root("manifest") + " line 2: " + bad.wrong);
    EXPECT_EQ(context.most_done, 0u);
  }
  write(in_root("manifest"), "\n");
  EXPECT_REPORT(run(scrub()), Errc::InvalidArgument, "BAD_MANIFEST",
                in_root("manifest") + " has no line");
}

TEST_P(FileScrubTest, GoesOnWhereItWasStopped) {
  for (int i = 0; i < 8; ++i) write(in_root(fmt::format("tree/{}", i)), noise(100'000, 1 + i));
  make_manifest();
  write(in_root("tree/1"), noise(100'000, 77));
  {
    FakeContext context(*runtime_, policy(), scrub(0, "progress"));
    std::atomic<bool> reached{false}, asked{false};
    context.on_progress = [&](uint64_t done) {
      if (done < 350'000) return;  // in the fourth file
      reached = true;
      zokio::test::eventually([&] { return asked.load(); });
    };
    auto handle = runtime_->spawn(&run_kind, &context);
    EXPECT_TRUE(zokio::test::eventually([&] { return reached.load(); }));
    handle.cancel();
    asked = true;
    static_cast<void>(runtime_->block_on(&joined, &handle));
    ASSERT_FALSE(context.result.has_value());
    EXPECT_EQ(context.result.error().error.code, Errc::Cancelled);
  }
  EXPECT_EQ(names(root()), (Names{"manifest", "progress", "tree"}));
  // Another job, later: what it does not read again is not seen again, but it is not forgotten.
  std::filesystem::remove(in_root("tree/0"));
  FakeContext context(*runtime_, policy(), scrub(0, "progress"));
  const auto done = run(context);
  ASSERT_OK(done);
  const auto& result = std::get<FileScrubResult>(done->result);
  EXPECT_EQ(result.files, 8u);
  EXPECT_EQ(result.bytes, 800'000u);
  EXPECT_GE(result.resumed_at, 3u);
  EXPECT_LT(result.resumed_at, 8u);
  EXPECT_EQ(result.damaged, 1u);
  EXPECT_EQ(result.missing, 0u);
  EXPECT_THAT(done->error.message, HasSubstr("first: 1: SHA-256 "));
  EXPECT_THAT(context.log(),
              HasSubstr(fmt::format("goes on after {} of 8 files\n", result.resumed_at)));
  EXPECT_EQ(names(root()), (Names{"manifest", "tree"})) << "the record goes at the end";
}

TEST_P(FileScrubTest, ARecordOfAnotherManifestIsNotUsed) {
  write(in_root("tree/abc"), "abc");
  make_manifest();
  write(in_root("progress"),
        fmt::format("zokio scrub progress 1\nmanifest={}\nfiles=1\nbytes=3\ndamaged=0\nmissing=0\n"
                    "unreadable=0\nfirst=\n",
                    kAbcSha));
  FakeContext context(*runtime_, policy(), scrub(0, "progress"));
  const auto done = run(context);
  ASSERT_OK(done);
  EXPECT_EQ(std::get<FileScrubResult>(done->result).resumed_at, 0u);
  EXPECT_THAT(context.log(), HasSubstr("is of another manifest: from the start\n"));
  // Somebody's file is not overwritten.
  write(in_root("letter"), "dear reader");
  EXPECT_REPORT(run(scrub(0, "letter")), Errc::FailedPrecondition, "NOT_A_RECORD",
                in_root("letter") + " is there and is no progress of a scrub");
  EXPECT_EQ(read(in_root("letter")), "dear reader");
}

TEST_P(FileScrubTest, KeepsItsRate) {
  write(in_root("tree/a"), noise(50'000));
  write(in_root("tree/b"), noise(50'000));
  make_manifest();
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_OK(run(scrub(500'000)));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(200));
  // Told to stop while it waits for its turn: it does not wait on.
  FakeContext context(*runtime_, policy(), scrub(1));
  const auto done = run_and_cancel(context, [&] { return context.most_done > 0; });
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().error.code, Errc::Cancelled);
}

TEST_P(FileScrubTest, RefusedBeforeItRuns) {
  EXPECT_EQ(violations(FileScrubSpec{"tree", "", 0, "/a//b"}).size(), 3u);
  EXPECT_EQ(violations(FileScrubSpec{"/t", "/m", 0, "/m"}),
            (Violations{{"spec.file_scrub.progress_path", "is the manifest"}}));
  for (const FileScrubSpec& spec : {FileScrubSpec{outside("x"), in_root("m"), 0, ""},
                                    FileScrubSpec{in_root("t"), outside("x"), 0, ""},
                                    FileScrubSpec{in_root("t"), in_root("m"), 0, outside("x")}})
    EXPECT_REPORT(authorized(spec, policy()), Errc::PermissionDenied, "PATH_NOT_ALLOWED",
                  outside("x") + " is below none of policy.roots: " + root());
  EXPECT_REPORT(
      run(scrub()), Errc::NotFound, "NOT_FOUND",
      "open " + in_root("tree") + ": open: NOT_FOUND (ENOENT: No such file or directory)");
}

TEST(Manifest, LinesSurviveTheWayThereAndBack) {
  for (const char* path : {"a", "a/b c", "new\nline", "back\\slash", "\r", "x  y"}) {
    const ManifestLine line{path, kAbcSha, std::string(32, '0'), 12};
    const auto back = parse_manifest_line(manifest_line(line));
    ASSERT_TRUE(back) << back.error();
    EXPECT_EQ(back->path, path);
    EXPECT_EQ(back->xxh3, line.xxh3);
    EXPECT_EQ(back->size, 12u);
  }
}

KIND_MATRIX(FileScrubTest);

}  // namespace
}  // namespace zokiod::kinds
