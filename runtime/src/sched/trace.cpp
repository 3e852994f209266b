// SPDX-License-Identifier: Apache-2.0
#include "sched/trace.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <new>

#include "base/env.h"
#include "sched/json.h"
#include "sched/symbols.h"

namespace zokio::sched {
namespace {

// The word that has the value has the kind in its low bits.
constexpr unsigned kKindBits = 8;

}  // namespace

void TraceRing::record(const TraceEvent& event) noexcept {
  const uint64_t at = done_.load(std::memory_order_relaxed);
  Words& words = words_[at % kEvents];
  begun_.store(at + 1, std::memory_order_relaxed);
  // Ordering: release on each word; a reader that meets one also sees that the event was begun.
  words[0].store(static_cast<uint64_t>(event.at_ns), std::memory_order_release);
  words[1].store(event.task, std::memory_order_release);
  words[2].store(event.value << kKindBits | static_cast<uint64_t>(event.kind),
                 std::memory_order_release);
  words[3].store(reinterpret_cast<uintptr_t>(event.code), std::memory_order_release);
  words[4].store(reinterpret_cast<uintptr_t>(event.text), std::memory_order_release);
  done_.store(at + 1, std::memory_order_release);
}

void TraceRing::copy(uint32_t thread, Trace& out) const {
  const uint64_t mark = mark_.load(std::memory_order_relaxed);
  const uint64_t end = done_.load(std::memory_order_acquire);
  const uint64_t first = std::max(mark, end > kEvents ? end - kEvents : 0);
  std::vector<TraceEvent> events;
  events.reserve(end - first);
  for (uint64_t at = first; at < end; ++at) {
    const Words& words = words_[at % kEvents];
    TraceEvent& event = events.emplace_back();
    event.thread = thread;
    event.at_ns = static_cast<int64_t>(words[0].load(std::memory_order_acquire));
    event.task = words[1].load(std::memory_order_acquire);
    const uint64_t value = words[2].load(std::memory_order_acquire);
    event.value = value >> kKindBits;
    event.kind = static_cast<TraceKind>(value & ((1u << kKindBits) - 1));
    event.code = reinterpret_cast<const void*>(words[3].load(std::memory_order_acquire));
    event.text = reinterpret_cast<const char*>(words[4].load(std::memory_order_acquire));
  }
  // Ordering: after the loads above by their acquire. Drops what the writer came around to.
  const uint64_t begun = begun_.load(std::memory_order_relaxed);
  const uint64_t valid = std::clamp(begun > kEvents ? begun - kEvents : 0, first, end);
  out.events.insert(out.events.end(), events.begin() + static_cast<std::ptrdiff_t>(valid - first),
                    events.end());
  out.lost += valid - mark;
}

Tracer::~Tracer() {
  for (const auto& ring : rings_) delete ring.load(std::memory_order_relaxed);
}

void Tracer::start(int64_t now_ns, Duration length) noexcept {
  stop();
  for (const auto& ring : rings_)
    if (TraceRing* there = ring.load(std::memory_order_acquire)) there->mark();
  until_ns_.store((Instant{now_ns} + length).ns, std::memory_order_relaxed);
}

Trace Tracer::copy() const {
  Trace out;
  for (uint32_t i = 0; i < rings_.size(); ++i)
    if (const TraceRing* ring = rings_[i].load(std::memory_order_acquire))
      ring->copy(i < kWorkerSlots ? i : kTraceOutside, out);
  std::ranges::sort(out.events, {}, &TraceEvent::at_ns);
  return out;
}

TraceRing* Tracer::ring(uint32_t slot) noexcept {
  TraceRing* ring = rings_[slot].load(std::memory_order_relaxed);
  if (ring != nullptr) return ring;
  ring = new (std::nothrow) TraceRing;
  rings_[slot].store(ring, std::memory_order_release);
  return ring;
}

void Tracer::record_outside(const TraceEvent& event) noexcept {
  std::scoped_lock guard(outside_lock_);
  if (TraceRing* there = ring(kWorkerSlots)) there->record(event);
}

namespace {

constexpr std::string_view kind_name(TraceKind kind) noexcept {
  switch (kind) {
    case TraceKind::Run:
      return "run";
    case TraceKind::Spawn:
      return "spawn";
    case TraceKind::Wake:
      return "wake";
    case TraceKind::End:
      return "end";
    case TraceKind::Steal:
      return "steal";
    case TraceKind::Park:
      return "park";
    case TraceKind::Maintain:
      return "maintain";
    case TraceKind::Resize:
      return "resize";
  }
  return "";
}

// A worker's row is its slot, the rest is drawn below.
unsigned row(uint32_t thread) noexcept {
  return thread == kTraceOutside ? kWorkerSlots : thread;
}

void append_event(std::string& out, const TraceEvent& event) {
  char text[160];
  const bool lasts = event.kind == TraceKind::Run || event.kind == TraceKind::Park;
  out += ",\n{\"name\":";
  append_json(out,
              event.code != nullptr ? Symbols::instance().name(event.code) : kind_name(event.kind));
  std::snprintf(text, sizeof(text),
                ",\"cat\":\"%s\",\"ph\":\"%s\",\"ts\":%.3f,\"pid\":1,\"tid\":%u",
                kind_name(event.kind).data(), lasts ? "X" : "i",
                static_cast<double>(event.at_ns) / 1000, row(event.thread));
  out += text;
  if (lasts) {
    std::snprintf(text, sizeof(text), ",\"dur\":%.3f", static_cast<double>(event.value) / 1000);
    out += text;
  } else {
    out += ",\"s\":\"t\"";
  }
  out += ",\"args\":{\"task\":" + std::to_string(event.task);
  if (!lasts) out += ",\"value\":" + std::to_string(event.value);
  if (event.text != nullptr) {
    out += event.kind == TraceKind::Run ? ",\"after\":" : ",\"name\":";
    append_json(out, event.text);
  }
  out += "}}";
}

}  // namespace
}  // namespace zokio::sched

namespace zokio {

std::string Trace::to_chrome_json() const {
  std::vector<uint32_t> threads;
  for (const TraceEvent& event : events) threads.push_back(event.thread);
  std::ranges::sort(threads);
  threads.erase(std::ranges::unique(threads).begin(), threads.end());
  std::string out =
      "{\"traceEvents\":[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,"
      "\"args\":{\"name\":\"zokio\"}}";
  for (const uint32_t thread : threads) {
    const std::string name =
        thread == kTraceOutside ? "other threads" : "worker " + std::to_string(thread);
    out += ",\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":" +
           std::to_string(sched::row(thread)) + ",\"args\":{\"name\":\"" + name + "\"}}";
  }
  for (const TraceEvent& event : events) sched::append_event(out, event);
  return out + "\n]}\n";
}

}  // namespace zokio
