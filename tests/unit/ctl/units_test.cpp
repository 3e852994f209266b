// SPDX-License-Identifier: Apache-2.0
#include "units.h"

#include <gtest/gtest.h>

namespace zokioctl {
namespace {

using namespace std::chrono_literals;

TEST(Units, ParsesSizes) {
  EXPECT_EQ(parse_bytes("0"), 0u);
  EXPECT_EQ(parse_bytes("4096"), 4096u);
  EXPECT_EQ(parse_bytes("64Ki"), 65536u);
  EXPECT_EQ(parse_bytes("64KiB"), 65536u);
  EXPECT_EQ(parse_bytes("64k"), 65536u);
  EXPECT_EQ(parse_bytes("1.5Gi"), 1610612736u);
  EXPECT_EQ(parse_bytes("1Ti"), 1ull << 40);
  EXPECT_EQ(parse_bytes("none"), 0u);
  for (const char* bad : {"", "Mi", "-1", "1Xi", "1Mib x", "1..5Mi", "0.3", "1e9", " 1"})
    EXPECT_EQ(parse_bytes(bad), std::nullopt) << bad;
}

TEST(Units, ParsesDurations) {
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("10s"), 10s);
  EXPECT_EQ(parse_duration("10"), 10s);
  EXPECT_EQ(parse_duration("1.5m"), 90s);
  EXPECT_EQ(parse_duration("2h"), 2h);
  EXPECT_EQ(parse_duration("1d"), 24h);
  EXPECT_EQ(parse_duration("7us"), 7us);
  for (const char* bad : {"", "s", "-1s", "1 s", "1w", "99999999d"})
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
}

TEST(Units, WritesThemShort) {
  EXPECT_EQ(format_bytes(0), "0");
  EXPECT_EQ(format_bytes(1023), "1023");
  EXPECT_EQ(format_bytes(64u << 20), "64Mi");
  EXPECT_EQ(format_bytes(1610612736u), "1.5Gi");
  EXPECT_EQ(format_duration(999ns), "999ns");
  EXPECT_EQ(format_duration(1500us), "1.5ms");
  EXPECT_EQ(format_duration(3400ms), "3.4s");
  EXPECT_EQ(format_duration(125s), "2m05s");
  EXPECT_EQ(format_duration(3h + 4min), "3h04m");
}

}  // namespace
}  // namespace zokioctl
