// SPDX-License-Identifier: Apache-2.0
#include "spec_args.h"

#include <gtest/gtest.h>

namespace zokioctl {
namespace {

using Words = std::vector<std::string>;

TEST(ReadWork, SugarAndFields) {
  v1::JobSpec exec;
  ASSERT_TRUE(read_work(exec, "exec", {"cwd=/tmp", "env.A=b=c", "grace=2s"}, {"ls", "-l", "a=b"}));
  EXPECT_EQ(exec.exec().argv_size(), 3);
  EXPECT_EQ(exec.exec().argv(2), "a=b");
  EXPECT_EQ(exec.exec().cwd(), "/tmp");
  EXPECT_EQ(exec.exec().env().at("A"), "b=c");
  EXPECT_EQ(exec.exec().grace().seconds(), 2);

  v1::JobSpec bare;
  ASSERT_TRUE(read_work(bare, "exec", {"true"}, {}));
  EXPECT_EQ(bare.exec().argv(0), "true");

  v1::JobSpec copy;
  ASSERT_TRUE(read_work(copy, "file.copy", {"/a/../b", "/c", "overwrite=true"}, {}));
  EXPECT_EQ(copy.file_copy().source(), "/b");
  EXPECT_EQ(copy.file_copy().destination(), "/c");
  EXPECT_TRUE(copy.file_copy().overwrite());

  v1::JobSpec sum;
  ASSERT_TRUE(read_work(sum, "file.checksum", {"relative"}, {}));
  EXPECT_EQ(sum.file_checksum().path().front(), '/');

  v1::JobSpec odd;  // a path with "=" is a path
  ASSERT_TRUE(read_work(odd, "file.checksum", {"/srv/a=b"}, {}));
  EXPECT_EQ(odd.file_checksum().path(), "/srv/a=b");

  v1::JobSpec spawn;
  ASSERT_TRUE(read_work(spawn, "synthetic.spawn", {"tasks=100000", "seed=7"}, {}));
  EXPECT_EQ(spawn.synthetic_spawn().tasks(), 100000u);

  v1::JobSpec file;
  ASSERT_TRUE(read_work(file, "synthetic.file", {"size_bytes=1Mi", "block_bytes=64Ki"}, {}));
  EXPECT_EQ(file.synthetic_file().size_bytes(), 1u << 20);
  EXPECT_EQ(file.synthetic_file().block_bytes(), 1u << 16);
}

TEST(ReadWork, UnknownKindIsForTheServerUnlessItHasFields) {
  v1::JobSpec spec;
  ASSERT_TRUE(read_work(spec, "no.such", {}, {}));
  EXPECT_EQ(spec.kind(), "no.such");
  EXPECT_EQ(spec.work_case(), v1::JobSpec::WORK_NOT_SET);
  EXPECT_FALSE(read_work(spec, "no.such", {"a=b"}, {}));
  // Fields of the spec that are no kinds.
  v1::JobSpec labels;
  ASSERT_TRUE(read_work(labels, "labels", {}, {}));
  EXPECT_EQ(labels.work_case(), v1::JobSpec::WORK_NOT_SET);
}

struct Bad {
  const char* kind;
  Words words;
  Words rest;
};

TEST(ReadWork, RefusesWithExitCode2AndWhatWouldDo) {
  const std::vector<Bad> table = {
      {"exec", {}, {}},
      {"synthetic.spawn", {"tasks=many"}, {}},
      {"synthetic.spawn", {"tasks=-1"}, {}},
      {"synthetic.spawn", {"fanout=4294967296"}, {}},
      {"synthetic.spawn", {"nonsense=1"}, {}},
      {"synthetic.spawn", {"positional"}, {}},
      {"synthetic.file", {"fsync=maybe"}, {}},
      {"synthetic.file", {"size_bytes=1Xi"}, {}},
      {"file.copy", {"/a", "/b", "/c"}, {}},
      {"file.checksum", {"/a"}, {"-l"}},
      {"exec", {"grace=soon"}, {"true"}},
      {"exec", {"env=x"}, {"true"}},
      {"exec", {"cwd.x=y"}, {"true"}},
  };
  for (const auto& bad : table) {
    v1::JobSpec spec;
    const auto done = read_work(spec, bad.kind, bad.words, bad.rest);
    ASSERT_FALSE(done) << bad.kind << " " << (bad.words.empty() ? "" : bad.words[0]);
    EXPECT_EQ(done.error().exit_code, 2);
    EXPECT_FALSE(done.error().message.empty());
  }
}

TEST(ReadLabels, NeedAKey) {
  v1::JobSpec spec;
  ASSERT_TRUE(read_labels(spec, {"a=b", "c="}));
  EXPECT_EQ(spec.labels().at("a"), "b");
  EXPECT_EQ(spec.labels().at("c"), "");
  EXPECT_FALSE(read_labels(spec, {"=x"}));
  EXPECT_FALSE(read_labels(spec, {"x"}));
}

TEST(ReadBatchLine, IsTheJsonOfTheSpec) {
  const auto line = read_batch_line(
      R"({"kind":"exec","exec":{"argv":["true"]},"labels":{"a":"b"},"timeout":"5s","request_id":"r"})");
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_EQ(line->spec.exec().argv(0), "true");
  EXPECT_EQ(line->spec.labels().at("a"), "b");
  EXPECT_EQ(line->spec.timeout().seconds(), 5);
  EXPECT_EQ(line->request_id, "r");
  for (const char* bad : {"", "[]", "{", R"({"nonsense":1})", R"({"request_id":1})"})
    EXPECT_FALSE(read_batch_line(bad)) << bad;
}

TEST(ReadResize, FillsDesiredAndMask) {
  v1::UpdateRuntimeRequest request;
  ASSERT_TRUE(
      read_resize(request, {"workers=8", "reactors=2", "pool.frames=64Mi", "pool.buffers=none"}));
  const auto& desired = request.runtime().desired();
  EXPECT_EQ(desired.workers(), 8u);
  EXPECT_EQ(desired.reactors(), 2u);
  ASSERT_EQ(desired.pools_size(), 2);
  EXPECT_EQ(desired.pools(0).limit_bytes(), 64u << 20);
  EXPECT_EQ(desired.pools(1).limit_bytes(), 0u);
  EXPECT_EQ(request.update_mask().paths_size(), 3);
}

TEST(ReadResize, Rings) {
  v1::UpdateRuntimeRequest request;
  ASSERT_TRUE(read_resize(request, {"rings=1024", "receive_buffers=64"}));
  EXPECT_EQ(request.runtime().desired().ring_entries(), 1024u);
  EXPECT_EQ(request.runtime().desired().receive_buffers(), 64u);
  ASSERT_EQ(request.update_mask().paths_size(), 2);
  EXPECT_EQ(request.update_mask().paths(0), "desired.ring_entries");
  EXPECT_EQ(request.update_mask().paths(1), "desired.receive_buffers");
  EXPECT_FALSE(read_resize(request, {"rings=many"}));
}

TEST(ReadResize, ZeroIsAskedForAndNotDropped) {
  v1::UpdateRuntimeRequest request;
  ASSERT_TRUE(read_resize(request, {"workers=0"}));
  EXPECT_EQ(request.update_mask().paths(0), "desired.workers");
}

TEST(ReadResize, RefusesNonsense) {
  for (const Words& bad : {Words{}, Words{"workers"}, Words{"workers=x"}, Words{"workers=-1"},
                           Words{"queues=1"}, Words{"pool.=1Mi"}, Words{"pool.frames=lots"}}) {
    v1::UpdateRuntimeRequest request;
    const auto done = read_resize(request, bad);
    ASSERT_FALSE(done) << (bad.empty() ? "nothing" : bad[0]);
    EXPECT_EQ(done.error().exit_code, 2);
  }
}

}  // namespace
}  // namespace zokioctl
