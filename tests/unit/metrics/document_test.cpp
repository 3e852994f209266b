// SPDX-License-Identifier: Apache-2.0
// daemon/docs/metrics.md against the exporter: every metric is documented with its type and labels,
// nothing else is.

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>

#include "figures_fixture.h"

namespace zokiod::metrics {
namespace {

// "name type label,label" of each row.
std::set<std::string> documented() {
  const char* root = std::getenv("ZOKIO_SOURCE_DIR");
  std::ifstream in(std::string(root != nullptr ? root : ".") + "/daemon/docs/metrics.md");
  EXPECT_TRUE(in.good()) << "daemon/docs/metrics.md is not readable";
  const std::regex row(R"(^\| `([a-z_]+)` \| (\w+) \| ([^|]*) \|.*$)");
  const std::regex label("`([a-z_]+)`");
  std::set<std::string> out;
  for (std::string line; std::getline(in, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, row)) continue;
    std::set<std::string> labels;
    const std::string cell = match[3];
    for (std::sregex_iterator it(cell.begin(), cell.end(), label), end; it != end; ++it) {
      labels.insert((*it)[1]);
    }
    std::string text = match[1].str() + " " + match[2].str();
    for (const std::string& name : labels) text += " " + name;
    out.insert(text);
  }
  return out;
}

const char* name_of(prometheus::MetricType type) {
  switch (type) {
    case prometheus::MetricType::Counter:
      return "counter";
    case prometheus::MetricType::Gauge:
      return "gauge";
    default:
      return "histogram";
  }
}

TEST(MetricsDocument, ListsEveryMetricWithItsTypeAndLabels) {
  const auto figures = test::zero_figures;
  const Exporter exporter({.runtime = [=] { return figures().runtime; },
                           .process = [=] { return figures().process; },
                           .jobs = [=] { return figures().jobs; },
                           .soak = [=] { return figures().soak; },
                           .server = [=] { return figures().server; }});
  std::set<std::string> exported;
  for (const prometheus::MetricFamily& family : exporter.Collect()) {
    std::set<std::string> labels;
    for (const auto& metric : family.metric) {
      for (const auto& label : metric.label) labels.insert(label.name);
    }
    std::string text = family.name + " " + name_of(family.type);
    for (const std::string& name : labels) text += " " + name;
    exported.insert(text);
  }
  EXPECT_THAT(documented(), testing::ContainerEq(exported));
}

}  // namespace
}  // namespace zokiod::metrics
