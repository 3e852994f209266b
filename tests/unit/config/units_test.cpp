// SPDX-License-Identifier: Apache-2.0
#include "config/units.h"

#include <gtest/gtest.h>

#include "config/suggest.h"

namespace zokiod::config {
namespace {

using namespace std::chrono_literals;

TEST(Units, Bytes) {
  EXPECT_EQ(parse_bytes("0"), Bytes{0});
  EXPECT_EQ(parse_bytes("4096"), Bytes{4096});
  EXPECT_EQ(parse_bytes("64KiB"), Bytes{65536});
  EXPECT_EQ(parse_bytes("64 MiB"), Bytes{64ull << 20});
  EXPECT_EQ(parse_bytes("2G"), Bytes{2ull << 30});
  EXPECT_EQ(parse_bytes("3TiB"), Bytes{3ull << 40});
  for (const char* bad :
       {"", "x", "MiB", "-1", "1.5GiB", "64kib", "1 2", "99999999999TiB", "1MiBx"})
    EXPECT_FALSE(parse_bytes(bad)) << bad;
  for (const uint64_t value : {0ull, 1ull, 1023ull, 1024ull, 1536ull, 1ull << 40, 5ull << 50})
    EXPECT_EQ(parse_bytes(format_bytes({value})), Bytes{value});
}

TEST(Units, Spans) {
  EXPECT_EQ(parse_span("0"), Span{});
  EXPECT_EQ(parse_span("500ms"), Span{500ms});
  EXPECT_EQ(parse_span("90s"), Span{90s});
  EXPECT_EQ(parse_span("2h"), Span{2h});
  for (const char* bad : {"", "5", "s", "-1s", "1.5s", "1d", "9999999999h"})
    EXPECT_FALSE(parse_span(bad)) << bad;
  for (const zokio::Duration value : {0ns, 1ns, 1500ms + 0ns, 60s + 0ns, 90s + 0ns, 24h + 0ns})
    EXPECT_EQ(parse_span(format_span({value})), Span{value});
}

TEST(Suggest, Distances) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("workers", "wrokers"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Suggest, OnlyWhatIsNear) {
  const std::string_view known[] = {"workers", "io.backend"};
  EXPECT_EQ(did_you_mean("worker", known), "; did you mean \"workers\"?");
  EXPECT_EQ(did_you_mean("rpc.backend", known), "; did you mean \"io.backend\"?");
  EXPECT_EQ(did_you_mean("zzz", known), "");
}

}  // namespace
}  // namespace zokiod::config
