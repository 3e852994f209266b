// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert_queue.h"

#include <utility>

namespace zokiod::rpc {
namespace {

using model::QueueMode;

constexpr std::pair<QueueMode, v1::QueueMode> kModes[] = {
    {QueueMode::Active, v1::QUEUE_MODE_ACTIVE},
    {QueueMode::Paused, v1::QUEUE_MODE_PAUSED},
    {QueueMode::Draining, v1::QUEUE_MODE_DRAINING},
};

std::optional<QueueMode> mode_of(v1::QueueMode mode, Violations& violations) {
  if (mode == v1::QUEUE_MODE_UNSPECIFIED) return std::nullopt;
  for (auto [ours, theirs] : kModes)
    if (theirs == mode) return ours;
  violations.push_back({"settings.mode", std::to_string(mode) + " is no mode of a queue"});
  return std::nullopt;
}

}  // namespace

model::Reported<model::QueuePatch> from_proto(const v1::QueueSettings& from) {
  Violations violations;
  model::QueuePatch out;
  out.mode = mode_of(from.mode(), violations);
  if (from.has_priority()) out.priority = from.priority();
  if (from.has_shares()) out.shares = from.shares();
  if (from.has_concurrency()) out.concurrency = from.concurrency();
  if (from.has_size_limit()) out.size_limit = from.size_limit();
  if (from.has_rate()) out.rate = from.rate();
  if (from.has_burst()) out.burst = from.burst();
  if (from.has_rate_interval())
    out.rate_interval = from_proto(from.rate_interval(), "settings.rate_interval", violations);
  if (!violations.empty()) return model::refuse(invalid(std::move(violations)));
  return out;
}

v1::Queue to_proto(const jobs::QueueStats& stats) {
  v1::Queue out;
  out.set_name(stats.spec.name);
  auto& settings = *out.mutable_settings();
  for (auto [ours, theirs] : kModes)
    if (ours == stats.spec.mode) settings.set_mode(theirs);
  settings.set_priority(stats.spec.priority);
  settings.set_shares(stats.spec.shares);
  settings.set_concurrency(stats.spec.concurrency);
  settings.set_size_limit(stats.spec.size_limit);
  settings.set_rate(stats.spec.rate);
  if (stats.spec.rate != 0) *settings.mutable_rate_interval() = to_proto(stats.spec.interval());
  settings.set_burst(stats.spec.burst);
  out.set_live(stats.live);
  out.set_queued(stats.queued);
  out.set_running(stats.running);
  out.set_started(stats.started);
  out.set_refused(stats.refused);
  if (stats.oldest_queued.is_set()) set_time(*out.mutable_oldest_queue_time(), stats.oldest_queued);
  out.set_held_by(std::string(stats.held_by));
  out.set_origin(stats.spec.origin);
  return out;
}

}  // namespace zokiod::rpc
