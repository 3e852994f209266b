// SPDX-License-Identifier: Apache-2.0
#include "sched/stall.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/env.h"
#include "sched/scheduler.h"
#include "sched/symbols.h"

namespace zokio {

std::string StallReport::to_text() const {
  char line[160];
  std::snprintf(line, sizeof(line), "worker %u has been in task %llu '%s' for %lld ms\n", worker,
                static_cast<unsigned long long>(task), task_name.c_str(),
                static_cast<long long>(duration.count() / 1'000'000));
  std::string out = line;
  for (const std::string_view frame : stack) {
    out += "  ";
    out += frame;
    out += '\n';
  }
  return out;
}

}  // namespace zokio

namespace zokio::sched {
namespace {

// A thread that does not take a signal for so long is blocked in the kernel, or gets no processor.
constexpr Duration kAnswerWithin = std::chrono::milliseconds(500);
constexpr Duration kMinute = std::chrono::minutes(1);

}  // namespace

StallDetector::StallDetector(Scheduler& scheduler)
    : scheduler_(scheduler), options_(std::make_shared<Options>()) {}

void StallDetector::configure(const StallOptions& options, StallCallback callback) {
  auto fresh = std::make_shared<const Options>(Options{options, std::move(callback)});
  std::scoped_lock guard(mutex_);
  options_ = std::move(fresh);
}

std::shared_ptr<const StallDetector::Options> StallDetector::options() const {
  std::scoped_lock guard(mutex_);
  return options_;
}

std::vector<StallReport> StallDetector::recent() const {
  std::scoped_lock guard(mutex_);
  return {recent_.begin(), recent_.end()};
}

StallDetector::Seen& StallDetector::seen(uint32_t slot) {
  if (seen_.size() <= slot) seen_.resize(slot + 1);
  if (seen_[slot] == nullptr) seen_[slot] = std::make_unique<Seen>();
  return *seen_[slot];
}

void StallDetector::forget(uint32_t slot) noexcept {
  if (slot >= seen_.size() || seen_[slot] == nullptr) return;
  Seen& seen = *seen_[slot];
  if (seen.asked) finish_report(*scheduler_.slot(slot), seen, env::now_ns(), true);
  seen.task = nullptr;
}

bool StallDetector::look(Worker& worker, int64_t now_ns) {
  Seen& seen = this->seen(worker.slot());
  const uint64_t polls = worker.polls();
  task::Header* const task = worker.view().current();
  if (task == nullptr || task != seen.task || polls != seen.polls) {
    if (seen.asked) finish_report(worker, seen, now_ns, true);
    seen.polls = polls;
    seen.task = task;
    seen.since_ns = now_ns;
    seen.twice = seen.counted = false;
    return false;
  }
  if (!seen.twice) {  // most polls end before a third look, so it is only now worth a system call
    seen.twice = true;
    seen.times = worker.view().times();
    seen.ran_ns = seen.times.ran_ns;
  }
  const std::shared_ptr<const Options> wanted = options();
  const int64_t threshold = wanted->options.threshold.count();
  if (threshold <= 0 || now_ns - seen.since_ns < threshold) return false;
  if (seen.asked) finish_report(worker, seen, now_ns, false);
  if (!stuck_for(worker, seen, now_ns, threshold)) return seen.counted;
  if (static_cast<uint64_t>(seen.stuck_ns) > longest_ns_.load(std::memory_order_relaxed))
    longest_ns_.store(static_cast<uint64_t>(seen.stuck_ns), std::memory_order_relaxed);
  if (!seen.counted) {
    seen.counted = true;
    stalls_.add();
    if (may_report(now_ns, wanted->options)) begin_report(worker, seen, now_ns);
  }
  return true;
}

// Without the time in which another thread had the processor: that is no fault of the task's. A
// thread that is ready and has not run since the last look waits for one now, and it will be known
// how long when it gets it.
bool StallDetector::stuck_for(Worker& worker, Seen& seen, int64_t now_ns, int64_t threshold) {
  const ThreadView::Times times = worker.view().times();
  const bool ran = std::exchange(seen.ran_ns, times.ran_ns) != times.ran_ns;
  if (times.runnable && !ran && times.ran_ns != 0) return false;
  const auto waited = static_cast<int64_t>(times.waited_ns - seen.times.waited_ns);
  seen.stuck_ns = now_ns - seen.since_ns - waited;
  return seen.stuck_ns >= threshold;
}

bool StallDetector::may_report(int64_t now_ns, const StallOptions& options) {
  if (now_ns - minute_began_ns_ >= kMinute.count()) {
    minute_began_ns_ = now_ns;
    reports_this_minute_ = 0;
  }
  if (reports_this_minute_ >= options.max_per_minute) return false;
  ++reports_this_minute_;
  return true;
}

void StallDetector::begin_report(Worker& worker, Seen& seen, int64_t now_ns) {
  seen.report = {};
  seen.report.worker = worker.slot();
  seen.report.duration = Duration(seen.stuck_ns);
  seen.report.at_ns = now_ns;
  identify(worker, seen);
  if (!worker.view().ask()) return publish(std::move(seen.report));
  seen.asked = true;
  seen.asked_ns = now_ns;
  ++asked_;
}

// The task may end at any time, so its header is only read while the registry holds it.
void StallDetector::identify(Worker& worker, Seen& seen) {
  scheduler_.registry().for_each([&](task::Header* task) {
    if (task != seen.task) return true;
    // Still the same poll: so it is this task, and not another one at its address.
    if (worker.polls() == seen.polls && worker.view().current() == task) {
      seen.report.task = scheduler_.registry().id_of(task);
      seen.report.task_name = scheduler_.registry().name_of(task);
    }
    return false;
  });
}

// With the stack, if it came. `over`: the stall has ended, so no other answer comes.
void StallDetector::finish_report(Worker& worker, Seen& seen, int64_t now_ns, bool over) {
  ThreadView::Stack stack;
  const bool answered = worker.view().take_answer(stack);
  if (!answered && !over && now_ns - seen.asked_ns < kAnswerWithin.count()) return;
  seen.asked = false;
  --asked_;
  if (!answered) worker.view().give_up();
  // Of another poll than the one that stalled: of no use.
  if (answered && stack.task == seen.task && stack.polls == seen.polls) {
    seen.report.duration += Duration(std::max<int64_t>(stack.at_ns - seen.report.at_ns, 0));
    seen.report.at_ns = stack.at_ns;
    // The first is the handler, the second the way into it.
    for (int i = 0; i < stack.count; ++i)
      seen.report.stack.push_back(Symbols::instance().caller(stack.frames[i]));
  }
  publish(std::move(seen.report));
}

void StallDetector::publish(StallReport report) {
  std::shared_ptr<const Options> wanted;
  {
    std::scoped_lock guard(mutex_);
    recent_.push_back(report);
    if (recent_.size() > kKept) recent_.pop_front();
    wanted = options_;
  }
  if (wanted->callback) wanted->callback(report);
}

}  // namespace zokio::sched
