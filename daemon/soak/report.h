// SPDX-License-Identifier: Apache-2.0
#pragma once

// The written result of a soak: report.html (one file, nothing remote), report.json, summary.md and
// samples.csv. The texts are pure functions of record and verdict.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "soak/record.h"
#include "soak/verdict.h"

namespace zokiod::soak {

// Version of report.json; grows when a field changes its meaning.
inline constexpr int kReportSchema = 1;

std::string report_html(const Record& record, const Verdict& verdict);
std::string report_json(const Record& record, const Verdict& verdict);
std::string summary_markdown(const Record& record, const Verdict& verdict);
std::string samples_csv(const Record& record);

// Writes all four, each whole or not at all. The error of the first that failed, or "".
std::string write_reports(const std::string& directory, const Record& record,
                          const Verdict& verdict);

// Text that is safe as content and as attribute value of HTML.
std::string escape_html(std::string_view text);

// "12.3 MiB", "4.5 ms": numbers with the unit of a check or a series.
std::string format_value(double value, std::string_view unit);
std::string value_text(const Check& check);  // "-" when it was not measured
std::string_view phase_name(Phase phase);

// One chart: lines over the time of the soak, with the resizes as marks, as inline SVG.
struct Line {
  std::string name;
  std::string color;  // a CSS class: "c1" to "c3"
  std::vector<Point> points;
};
struct Chart {
  std::string title;
  std::string unit;
  std::vector<Line> lines;
};
std::string chart_svg(const Chart& chart, const Record& record);

}  // namespace zokiod::soak
