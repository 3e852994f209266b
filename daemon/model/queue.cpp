// SPDX-License-Identifier: Apache-2.0
#include "model/queue.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/limits.h"

namespace zokiod::model {

std::string_view to_string(QueueMode mode) {
  switch (mode) {
    case QueueMode::Active:
      return "active";
    case QueueMode::Paused:
      return "paused";
    case QueueMode::Draining:
      return "draining";
  }
  return "unknown";
}

QueueSpec QueuePatch::applied_to(QueueSpec spec) const {
  const auto put = [](const auto& from, auto& to) {
    if (from) to = *from;
  };
  put(mode, spec.mode);
  put(priority, spec.priority);
  put(shares, spec.shares);
  put(concurrency, spec.concurrency);
  put(size_limit, spec.size_limit);
  put(rate, spec.rate);
  put(rate_interval, spec.rate_interval);
  put(burst, spec.burst);
  return spec;
}

Reported<> validate(const QueueSpec& spec) {
  std::vector<FieldViolation> out;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto inner = [&](char c) { return letter(c) || c == '-' || c == '_' || c == '.'; };
  if (spec.name.empty() || spec.name.size() > kQueueNameBytesMax || !letter(spec.name.front()) ||
      !std::ranges::all_of(spec.name, inner))
    out.push_back({"queue.name", fmt::format("\"{}\" is no name of 1 to {} of a-z 0-9 . _ -, the "
                                             "first a letter or digit",
                                             spec.name.substr(0, 80), kQueueNameBytesMax)});
  if (spec.priority < kPriorityMin || spec.priority > kPriorityMax)
    out.push_back({"queue.priority", fmt::format("{} is not between {} and {}", spec.priority,
                                                 kPriorityMin, kPriorityMax)});
  if (spec.shares < 1 || spec.shares > kQueueSharesMax)
    out.push_back(
        {"queue.shares", fmt::format("{} is not between 1 and {}", spec.shares, kQueueSharesMax)});
  if (spec.rate > kQueueRateMax)
    out.push_back({"queue.rate", fmt::format("{} is above {}", spec.rate, kQueueRateMax)});
  if (spec.burst > kQueueRateMax)
    out.push_back({"queue.burst", fmt::format("{} is above {}", spec.burst, kQueueRateMax)});
  if (spec.rate_interval.count() < 0 || spec.rate_interval.count() > kQueueIntervalMaxNs)
    out.push_back({"queue.rate_interval", "not between 0 and one day"});
  else if (spec.rate > 0 && spec.interval().count() / spec.rate == 0)
    out.push_back({"queue.rate_interval", "less than a nanosecond for each start"});
  if (out.empty()) return {};
  Report report = make_report(zokio::Errc::InvalidArgument, reason::kInvalidField, "");
  for (const auto& v : out) {
    if (!report.message.empty()) report.message += "; ";
    report.message += v.field + ": " + v.description;
  }
  report.violations = std::move(out);
  return refuse(std::move(report));
}

}  // namespace zokiod::model
