// SPDX-License-Identifier: Apache-2.0
// The document of /api/v1/stats: valid, complete, and of the same figures as the metrics.

#include "http/stats_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "figures_fixture.h"

namespace zokiod::http {
namespace {

using nlohmann::json;

TEST(StatsJson, HasWhatThePageReads) {
  const json d = json::parse(stats_json(metrics::test::zero_figures()));
  EXPECT_EQ(d["schema"], 1);
  EXPECT_EQ(d["server"]["state"], "starting");
  EXPECT_EQ(d["scheduler"]["workers"].size(), 2u);
  EXPECT_EQ(d["scheduler"]["workers"][1]["state"], "running");
  EXPECT_EQ(d["io"]["backend"], "io_uring");
  EXPECT_EQ(d["io"]["reactors"][0]["state"], "active");
  EXPECT_EQ(d["jobs"]["kinds"][0]["finished"]["timed_out"], 0);
  EXPECT_EQ(d["jobs"]["kinds"][0]["states"]["retrying"], 0);
  EXPECT_TRUE(d["soak"]["checks"].empty());
  EXPECT_TRUE(d["process"].contains("rss_anon_bytes"));
}

TEST(StatsJson, HistogramCarriesItsNonEmptyBuckets) {
  metrics::Figures figures = metrics::test::zero_figures();
  figures.runtime.scheduler.delay_ns = metrics::test::histogram_of({5, 5, 1'000'000});
  const json delay = json::parse(stats_json(figures))["scheduler"]["delay"];
  ASSERT_EQ(delay["buckets"].size(), 2u);
  EXPECT_EQ(delay["buckets"][0], json({5, 2}));
  EXPECT_GE(delay["buckets"][1][0], 1'000'000);
  EXPECT_EQ(delay["count"], 3);
}

TEST(StatsJson, TextThatIsNoUtf8DoesNotBreakIt) {
  metrics::Figures figures = metrics::test::zero_figures();
  figures.jobs.journal.error = "disk \xff\xfe <script>";
  figures.runtime.io.fallback_reason = "quote \" and \\ and \n";
  const json d = json::parse(stats_json(figures));
  EXPECT_EQ(d["io"]["fallback_reason"], figures.runtime.io.fallback_reason);
  EXPECT_NE(d["jobs"]["journal"]["error"].get<std::string>().find("<script>"), std::string::npos);
}

}  // namespace
}  // namespace zokiod::http
