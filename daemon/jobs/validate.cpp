// SPDX-License-Identifier: Apache-2.0
#include "jobs/validate.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/codec.h"
#include "model/limits.h"

namespace zokiod::jobs {
namespace {

using model::JobSpec;

void check_common(const JobSpec& spec, kinds::Violations& out) {
  if (spec.priority < model::kPriorityMin || spec.priority > model::kPriorityMax)
    out.push_back({"spec.priority", fmt::format("{} is not between {} and {}", spec.priority,
                                                model::kPriorityMin, model::kPriorityMax)});
  if (spec.timeout.count() < 0 || spec.timeout.count() > model::kTimeoutMaxNs)
    out.push_back({"spec.timeout", "not between 0 and one week"});
  if (spec.retry.attempts_max > model::kAttemptsMax)
    out.push_back({"spec.max_attempts",
                   fmt::format("{} is above {}", spec.retry.attempts_max, model::kAttemptsMax)});
  if (spec.retry.backoff_initial.count() < 0 ||
      spec.retry.backoff_initial.count() > model::kTimeoutMaxNs)
    out.push_back({"spec.backoff_initial", "not between 0 and one week"});
  if (spec.retry.backoff_max.count() < 0 || spec.retry.backoff_max.count() > model::kTimeoutMaxNs)
    out.push_back({"spec.backoff_max", "not between 0 and one week"});
}

void check_span(const char* field, zokio::Duration span, kinds::Violations& out) {
  if (span.count() < 0 || span.count() > model::kDelayMaxNs)
    out.push_back({field, "not between 0 and 366 days"});
}

void check_life(const JobSpec& spec, kinds::Violations& out) {
  check_span("spec.delay", spec.delay, out);
  check_span("spec.deadline", spec.deadline, out);
  if (spec.deadline.count() > 0 && spec.delay >= spec.deadline)
    out.push_back({"spec.deadline", "is over before the delay is"});
  if (spec.retry.crashes_max > model::kCrashesMax)
    out.push_back({"spec.max_crashes",
                   fmt::format("{} is above {}", spec.retry.crashes_max, model::kCrashesMax)});
  if (spec.after.size() > model::kAfterMax)
    out.push_back(
        {"spec.after", fmt::format("{} jobs, at most {}", spec.after.size(), model::kAfterMax)});
  for (size_t i = 0; i < spec.after.size(); ++i)
    if (!model::JobId::parse(spec.after[i]))
      out.push_back(
          {fmt::format("spec.after[{}]", i),
           fmt::format("\"{}\" is no job id (26 characters)", spec.after[i].substr(0, 40))});
}

void check_labels(const JobSpec& spec, kinds::Violations& out) {
  if (spec.labels.size() > model::kLabelsMax)
    out.push_back({"spec.labels",
                   fmt::format("{} labels, at most {}", spec.labels.size(), model::kLabelsMax)});
  for (const auto& [key, value] : spec.labels) {
    if (key.empty() || key.size() > model::kLabelBytesMax)
      out.push_back({"spec.labels", fmt::format("a key of {} bytes, want 1 to {}", key.size(),
                                                model::kLabelBytesMax)});
    else if (value.size() > model::kLabelBytesMax)
      out.push_back({"spec.labels." + key,
                     fmt::format("{} bytes, at most {}", value.size(), model::kLabelBytesMax)});
  }
}

std::unexpected<model::Report> invalid(kinds::Violations violations) {
  model::Report report =
      model::make_report(zokio::Errc::InvalidArgument, model::reason::kInvalidField, "");
  for (const auto& v : violations) {
    if (!report.message.empty()) report.message += "; ";
    report.message += v.field + ": " + v.description;
  }
  report.violations = std::move(violations);
  return model::refuse(std::move(report));
}

}  // namespace

model::Reported<> validate(const JobSpec& spec, const kinds::KindInfo& kind) {
  kinds::Violations violations;
  check_common(spec, violations);
  check_life(spec, violations);
  check_labels(spec, violations);
  kind.validate(spec, violations);
  if (violations.empty()) {
    // Many fields, each of them fine, can still be more than a record may hold.
    const size_t size = model::encode_spec(spec).size();
    if (size > model::kSpecBytesMax)
      violations.push_back(
          {"spec", fmt::format("{} bytes as a record, at most {}", size, model::kSpecBytesMax)});
  }
  if (!violations.empty()) return invalid(std::move(violations));
  return {};
}

model::Reported<> validate_request_id(const std::string& request_id) {
  if (request_id.size() > model::kRequestIdBytesMax)
    return invalid({{"request_id", fmt::format("{} bytes, at most {}", request_id.size(),
                                               model::kRequestIdBytesMax)}});
  const auto printable = [](char c) { return c > ' ' && c < 0x7f; };
  if (!std::ranges::all_of(request_id, printable))
    return invalid({{"request_id", "has spaces or characters that do not print"}});
  return {};
}

}  // namespace zokiod::jobs
