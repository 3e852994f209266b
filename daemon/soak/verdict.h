// SPDX-License-Identifier: Apache-2.0
#pragma once

// The rules that turn a record of a soak into PASS, FAIL or INCONCLUSIVE. Pure functions: the same
// record and limits give the same verdict, so a report can be judged again.
//
// FAIL needs evidence: the lower bound of the confidence interval is beyond the limit. PASS needs
// power: an interval wider than the limit, or an estimate beyond it, is INCONCLUSIVE.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "soak/record.h"
#include "soak/trend.h"

namespace zokiod::soak {

enum class CheckState : uint8_t { Pass, Fail, Inconclusive };
std::string_view to_string(CheckState state);     // "pass", "fail", "inconclusive"
std::string_view verdict_name(CheckState state);  // "PASS", "FAIL", "INCONCLUSIVE"

struct Check {
  std::string name;   // "jobs-lost", stable: a metric label and a key of the report
  std::string title;  // for people
  CheckState state = CheckState::Inconclusive;
  bool measured = true;  // false: there was too little to give a value
  double value = 0;
  std::optional<Interval> interval;  // 95 %, of value
  double limit = 0;
  bool at_least = false;  // the limit is a floor
  std::string unit;       // "jobs", "bytes/s", "s", "ratio"
  std::string why;        // one sentence: what decided
};

struct Verdict {
  CheckState state = CheckState::Inconclusive;
  std::vector<Check> checks;  // every check, in the order of check_names()
};

// One FAIL fails; otherwise one INCONCLUSIVE leaves it open.
CheckState combine(const std::vector<Check>& checks);

// Rules for one figure. `interval` contains the estimate.
CheckState judge_at_most(double estimate, const Interval& interval, double limit);

Verdict judge(const Record& record);

// Every check there is, in order.
const std::vector<std::string>& check_names();

}  // namespace zokiod::soak
