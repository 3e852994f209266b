// SPDX-License-Identifier: Apache-2.0
#include "jobs/queue_set.h"

#include <algorithm>
#include <utility>

namespace zokiod::jobs {
namespace {

using model::QueueMode;
using zokio::Duration;
using zokio::Instant;

// Divided by shares (10'000 at most) it keeps four digits; 2^64 of it are 10^13 starts away.
constexpr uint64_t kStride = 1'000'000;
constexpr size_t kNamesInErrors = 8;

Duration emission(const model::QueueSpec& spec) {
  return spec.interval() / spec.rate;
}

// When the rate allows a start; in the past: now.
Instant allowed_at(const Lane& lane) {
  if (lane.spec.rate == 0) return {};
  int64_t slack = 0;
  if (__builtin_mul_overflow(emission(lane.spec).count(), std::max(lane.spec.burst, 1u) - 1,
                             &slack))
    return {};
  return Instant{lane.earned.ns - slack};
}

bool full(const Lane& lane) {
  return lane.spec.concurrency != 0 && lane.running >= lane.spec.concurrency;
}

}  // namespace

QueueSet::QueueSet() {
  model::QueueSpec spec;
  spec.name = model::kDefaultQueue;
  add(std::move(spec));
}

Lane* QueueSet::find(std::string_view name) {
  const auto it = lanes_.find(name);
  return it == lanes_.end() ? nullptr : it->second.get();
}
const Lane* QueueSet::find(std::string_view name) const {
  const auto it = lanes_.find(name);
  return it == lanes_.end() ? nullptr : it->second.get();
}

Lane& QueueSet::add(model::QueueSpec spec) {
  std::string name = spec.name;
  return *(lanes_[std::move(name)] = std::make_unique<Lane>(std::move(spec)));
}

void QueueSet::remove(const std::string& name) {
  lanes_.erase(name);
}

QueueSet::Place QueueSet::push(Lane& lane, model::JobId id, int32_t priority,
                               model::WallTime queued) {
  return {&lane, lane.waiting.push(id, priority, queued)};
}

void QueueSet::restore(const Place& place, model::JobId id, model::WallTime queued) {
  place.lane->waiting.restore(place.at, id, queued);
}

void QueueSet::erase(const Place& place) {
  if (place.lane != nullptr) place.lane->waiting.erase(place.at);
}

std::optional<QueueSet::Picked> QueueSet::pick(Instant now, Instant& later) {
  Lane* best = nullptr;
  later = Instant::never();
  for (auto& [name, held] : lanes_) {
    Lane& lane = *held;
    if (lane.waiting.size() == 0 || lane.spec.mode == QueueMode::Paused || full(lane)) {
      lane.present = false;
      continue;
    }
    if (const Instant at = allowed_at(lane); now < at) {
      lane.present = false;
      later = std::min(later, at);
      continue;
    }
    if (!std::exchange(lane.present, true)) lane.pass = std::max(lane.pass, now_pass_);
    const auto rank = [](const Lane& l) { return std::pair(-int64_t{l.spec.priority}, l.pass); };
    if (best == nullptr || rank(lane) < rank(*best)) best = &lane;
  }
  if (best == nullptr) return std::nullopt;
  now_pass_ = std::max(now_pass_, best->pass);
  best->pass += kStride / best->spec.shares;
  if (best->spec.rate != 0) best->earned = std::max(best->earned, now) + emission(best->spec);
  const JobQueue::Place at = best->waiting.front();
  return Picked{*best->waiting.pop(), {best, at}};
}

size_t QueueSet::queued() const {
  size_t all = 0;
  for (const auto& [name, lane] : lanes_) all += lane->waiting.size();
  return all;
}

model::WallTime QueueSet::oldest() const {
  model::WallTime oldest;
  for (const auto& [name, lane] : lanes_) {
    const model::WallTime its = lane->waiting.oldest();
    if (its.is_set() && (!oldest.is_set() || its < oldest)) oldest = its;
  }
  return oldest;
}

QueueStats QueueSet::stats(const Lane& lane, Instant now) const {
  QueueStats out;
  out.spec = lane.spec;
  out.live = lane.live;
  out.queued = lane.waiting.size();
  out.running = lane.running;
  out.states = lane.states;
  out.started = lane.started;
  out.refused = lane.refused;
  out.oldest_queued = lane.waiting.oldest();
  out.queue_wait_ns = lane.queue_wait_ns.snapshot();
  if (lane.spec.mode == QueueMode::Paused)
    out.held_by = "paused";
  else if (lane.waiting.size() > 0 && full(lane))
    out.held_by = "concurrency";
  else if (lane.waiting.size() > 0 && now < allowed_at(lane))
    out.held_by = "rate";
  return out;
}

std::string QueueSet::names() const {
  std::string out;
  size_t said = 0;
  for (const auto& [name, lane] : lanes_) {
    if (said == kNamesInErrors) return out + ", ...";
    out += (said++ == 0 ? "" : ", ") + name;
  }
  return out;
}

}  // namespace zokiod::jobs
