// SPDX-License-Identifier: Apache-2.0

#include "soak/report.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "synthetic_record.h"

namespace zokiod::soak {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

// Text that breaks out of anything that forgets to escape it.
constexpr const char* kEvil = "</title><script>alert('x')</script>\"onload=\"|\n&amp;";

Record evil_record() {
  Record record = test::good_record();
  record.run_id = kEvil;
  record.plan.profile = kEvil;
  record.stopped_early = true;
  record.stop_reason = kEvil;
  record.environment[kEvil] = kEvil;
  record.jobs.examples.push_back(kEvil);
  record.jobs.errors[kEvil] = 3;
  record.resizes[0].what = kEvil;
  return record;
}

TEST(EscapeHtml, LeavesNoMarkup) {
  EXPECT_EQ(escape_html("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
  EXPECT_EQ(escape_html("plain µ text"), "plain µ text");
}

TEST(ReportHtml, EscapesEveryForeignText) {
  const Record record = evil_record();
  const std::string html = report_html(record, judge(record));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("onload=\"")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;"));
}

TEST(ReportHtml, IsOneFileThatLoadsNothing) {
  const Record record = test::good_record();
  const std::string html = report_html(record, judge(record));
  EXPECT_THAT(html, HasSubstr("Content-Security-Policy"));
  for (const char* remote : {"http:/"
                             "/",
                             "https:/"
                             "/",
                             "src=", "@import", "url("}) {
    EXPECT_THAT(html, Not(HasSubstr(remote)));
  }
  size_t charts = 0;
  for (size_t at = html.find("<svg"); at != std::string::npos; at = html.find("<svg", at + 1))
    ++charts;
  EXPECT_EQ(charts, 8u);
  EXPECT_THAT(html, HasSubstr(">PASS</span>"));
  EXPECT_THAT(html, HasSubstr("seed 7"));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_LT(html.size(), 400'000u);
}

TEST(ReportHtml, EmptyRecordIsStillAPage) {
  const std::string html = report_html(Record{}, judge(Record{}));
  EXPECT_THAT(html, HasSubstr("INCONCLUSIVE"));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_THAT(html, Not(HasSubstr("inf\"")));
}

TEST(ReportHtml, SaysThatFaultsWereInjected) {
  Record record = test::good_record();
  record.plan.inject = {.leak_bytes_per_second = 256 * 1024, .drop_job = true};
  const std::string html = report_html(record, judge(record));
  EXPECT_THAT(html, HasSubstr("256.0 KiB/s"));
  EXPECT_THAT(html, HasSubstr("dropped on purpose"));
}

TEST(ReportJson, HasTheEvidence) {
  Record record = evil_record();
  record.jobs.examples.push_back("not utf-8: \xff");
  const json d = json::parse(report_json(record, judge(record)));
  EXPECT_EQ(d["schema"], kReportSchema);
  EXPECT_EQ(d["verdict"], "INCONCLUSIVE");
  EXPECT_EQ(d["seed"], 7);
  EXPECT_EQ(d["checks"].size(), check_names().size());
  EXPECT_EQ(d["checks"][0]["name"], "jobs-lost");
  EXPECT_EQ(d["jobs"]["examples"][0], kEvil);
  EXPECT_EQ(d["resizes"].size(), record.resizes.size());
  for (const json& check : d["checks"]) {
    if (check["name"] == "rss-slope") EXPECT_EQ(check["interval95"].size(), 2u);
    if (check["name"] == "jobs-lost") EXPECT_TRUE(check["interval95"].is_null());
  }
}

TEST(SummaryMarkdown, OneRowForEachCheck) {
  const Record record = evil_record();
  const std::string text = summary_markdown(record, judge(record));
  size_t rows = 0;
  for (size_t at = text.find("\n| "); at != std::string::npos; at = text.find("\n| ", at + 1))
    ++rows;
  EXPECT_EQ(rows, check_names().size() + 1);
}

TEST(SamplesCsv, OneLineForEachSampleWithEveryColumn) {
  const Record record = test::good_record();
  const std::string csv = samples_csv(record);
  std::istringstream in(csv);
  std::string line;
  std::getline(in, line);
  const auto columns = std::count(line.begin(), line.end(), ',');
  size_t rows = 0;
  while (std::getline(in, line)) {
    EXPECT_EQ(std::count(line.begin(), line.end(), ','), columns);
    ++rows;
  }
  EXPECT_EQ(rows, record.samples.size());
}

TEST(FormatValue, ReadsWell) {
  EXPECT_EQ(format_value(256 * 1024, "bytes/s"), "256.0 KiB/s");
  EXPECT_EQ(format_value(-3.5 * 1024 * 1024, "bytes"), "-3.5 MiB");
  EXPECT_EQ(format_value(0.0042, "s"), "4.2 ms");
  EXPECT_EQ(format_value(0, "s"), "0 s");
  EXPECT_EQ(format_value(600, "s"), "600 s");
  EXPECT_EQ(format_value(0.9987, "ratio"), "99.870 %");
  EXPECT_EQ(format_value(3, "jobs"), "3 jobs");
}

TEST(WriteReports, WritesWholeFilesAndSaysWhatFailed) {
  const Record record = test::good_record();
  const Verdict verdict = judge(record);
  char name[] = "/tmp/zokio-report-XXXXXX";
  const std::filesystem::path directory = mkdtemp(name);
  EXPECT_EQ(write_reports(directory, record, verdict), "");
  for (const char* file : {"report.html", "report.json", "summary.md", "samples.csv"}) {
    EXPECT_GT(std::filesystem::file_size(directory / file), 100u) << file;
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 4)
      << "no draft is left";
  std::filesystem::remove_all(directory);
  EXPECT_THAT(write_reports(directory, record, verdict), HasSubstr("cannot write"));
}

}  // namespace
}  // namespace zokiod::soak
