// SPDX-License-Identifier: Apache-2.0
#include "model/codec.h"

#include <gtest/gtest.h>

#include <chrono>

namespace zokiod::model {
namespace {

using namespace std::chrono_literals;

std::vector<JobSpec> samples() {
  JobSpec exec;
  exec.work = ExecSpec{{"/bin/echo", "", "a=b", "two\nlines\\r", "\xff\xfe"},
                       "/tmp",
                       {{"A", "1"}, {"EMPTY", ""}, {"odd=key.x", "v\n"}},
                       1500ms,
                       2s,
                       3,
                       4,
                       5};
  exec.priority = -7;
  exec.timeout = 90s;
  exec.retry = {5, 2s, 60s};
  exec.labels = {{"team", "storage"}, {"x.y", "z=1"}};
  JobSpec sum;
  sum.work = FileChecksumSpec{"/data/tree", "/data/manifest"};
  JobSpec copy;
  copy.work = FileCopySpec{"/a", "/b", true};
  JobSpec spawn;
  spawn.work = SyntheticSpawnSpec{UINT64_MAX, 10, 3, 4};
  spawn.priority = INT32_MIN;
  JobSpec alloc;
  alloc.work = SyntheticAllocSpec{1, 2, 3, 4, 5};
  JobSpec file;
  file.work = SyntheticFileSpec{9, 1 << 20, 4096, true};
  std::vector<JobSpec> out = {exec, sum, copy, spawn, alloc, file, JobSpec{}};
  const Work works[] = {FileScrubSpec{"/t", "/m", 7, "/p"},
                        FileCompressSpec{"/a", "/b", true, -1},
                        FileDecompressSpec{"/a", "/b", true, UINT64_MAX},
                        SyntheticSpinSpec{1, 2, 3},
                        SyntheticYieldSpec{1, 2, 3},
                        SyntheticTimerSpec{1, 2, 3ms},
                        SyntheticChannelSpec{1, 2, 3, 4, 5},
                        SyntheticFanoutSpec{1, 2, 3, 4},
                        SyntheticTcpSpec{1, 2, 3, 4},
                        TcpEchoSpec{"127.0.0.1:1", 2, 3s, 4s},
                        TcpProxySpec{"127.0.0.1:1", "a:2", 3, 4s, 5s, 6s},
                        PluginSpec{"a", {{"b", "c=d"}}}};
  for (const Work& work : works) out.emplace_back().work = work;
  return out;
}

TEST(Codec, SpecsRoundTrip) {
  for (const JobSpec& spec : samples()) {
    const auto back = decode_spec(spec.kind(), encode_spec(spec));
    ASSERT_TRUE(back) << spec.kind();
    EXPECT_EQ(*back, spec) << spec.kind();
  }
}

TEST(Codec, ResultsRoundTrip) {
  const JobResult results[] = {std::monostate{},
                               ExecResult{-1, 9, 77},
                               FileChecksumResult{1, 2, 3, "ab", "cd", "/m"},
                               FileCopyResult{5, "x", "y"},
                               SyntheticResult{1, 2, "00ff"},
                               FileScrubResult{1, 2, 3, 4, 5, 6},
                               FileCompressResult{1, 2, "x", "y"},
                               PluginResult{"a", "1", "two\nlines"}};
  for (const JobResult& result : results) {
    const auto back = decode_result(encode_result(result));
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, result);
  }
}

TEST(Codec, UnknownNamesAreSkipped) {
  const auto spec = decode_spec("file.copy", "source=/a\nfrom_the_future=1\ndestination=/b\n");
  ASSERT_TRUE(spec);
  EXPECT_EQ(std::get<FileCopySpec>(spec->work).destination, "/b");
}

TEST(Codec, DamageIsAnErrorNotAGuess) {
  for (const char* text : {"source", "source=/a", "priority=x\n", "priority=12x\n", "priority=\n",
                           "priority=99999999999\n", "source=a\\\n", "source=a\\q\n"}) {
    const auto spec = decode_spec("file.copy", text);
    ASSERT_FALSE(spec) << text;
    EXPECT_EQ(spec.error().code, zokio::Errc::DataLoss) << text;
  }
  EXPECT_EQ(decode_spec("no.such.kind", "").error().code, zokio::Errc::InvalidArgument);
  EXPECT_FALSE(decode_result("type=99\n"));
  EXPECT_FALSE(decode_result(""));
  EXPECT_FALSE(decode_result("exit_code=1\n"));
}

}  // namespace
}  // namespace zokiod::model
