// SPDX-License-Identifier: Apache-2.0
// Executions: the search, the random mode, fibers, and who goes next.
#include "engine.h"

#include <sys/single_threaded.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace zokio::model {
namespace {

// Turns of a loop in which nobody changes anything, until that is called a livelock.
constexpr unsigned kIdleTurns = 64;

// Priority changes of one random execution; by feel: bugs need one to three.
constexpr unsigned kChangePoints = 3;

}  // namespace

Engine& Engine::get() {
  // Never destroyed: hooks run until the process ends.
  static Engine* const engine = [] {
    __libc_single_threaded = 0;  // or shared_ptr counts without atomics
    return new Engine;
  }();
  return *engine;
}

// --- Executions ---------------------------------------------------------------------------------

Report Engine::explore(const char* name, const Options& options, const Body& body) {
  Report report;
  report.name = name;
  options_ = options;
  const bool deep = std::getenv("ZOKIO_MODEL_DEEP") != nullptr;
  if (deep && options.search_deeper) {
    options_.preemptions += 1;
    options_.most *= 8;
    options_.random *= 8;
  }
  const auto start = std::chrono::steady_clock::now();
  const char* text = std::getenv("ZOKIO_MODEL_REPLAY");
  if (text == nullptr || !repeat(report, body, text)) {
    search(report, options_, body);
    if (!report.failed) random(report, options_, body);
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

bool Engine::repeat(Report& report, const Body& body, const char* text) {
  if (!decisions_.start_repeat(text, bounds_)) return false;
  run_once(body);
  report.executions = 1;
  report.steps = steps_;
  report.failed = failed_;
  report.text = failed_ ? failure_ : interleaving();
  return true;
}

void Engine::search(Report& report, const Options& options, const Body& body) {
  report.complete = true;
  for (unsigned preemptions = 0; preemptions <= options.preemptions; ++preemptions) {
    bounds_ = {preemptions, options.stale, options.spurious};
    decisions_.start_search();
    const uint64_t end = report.executions + options.most;
    do {
      run_once(body);
      ++report.executions;
      report.steps += steps_;
      longest_ = std::max<uint64_t>(longest_, steps_);
      if (failed_) {
        report.failed = true;
        report.complete = false;
        report.decisions = decisions_.text(bounds_);
        report.text = failure_;
        return;
      }
      if (report.executions >= end) {
        report.complete = false;
        break;
      }
    } while (decisions_.advance());
  }
}

void Engine::random(Report& report, const Options& options, const Body& body) {
  bounds_ = {~0u, 16, 8};
  for (uint64_t seed = 1; seed <= options.random; ++seed) {
    decisions_.start_random(seed);
    Rng& rng = decisions_.rng();
    priorities_ = seed % 2 == 0;
    change_points_.clear();
    for (unsigned i = 0; i < kChangePoints; ++i)
      change_points_.push_back(rng.below(static_cast<uint32_t>(longest_ + 1)));
    for (Thread& thread : threads_) thread.priority = kChangePoints + 1 + rng.below(1000);
    run_once(body);
    ++report.executions;
    report.steps += steps_;
    if (failed_) {
      report.failed = true;
      report.decisions = decisions_.text(bounds_);
      report.text = failure_;
      return;
    }
  }
}

void Engine::run_once(const Body& body) {
  body_ = &body;
  memory_.reset();
  shadow_.reset();
  decisions_.begin();
  trace_.clear();
  pipes_.clear();
  used_ = {};
  steps_ = idle_turns_ = 0;
  failed_ = false;
  failure_.clear();
  current_ = 0;
  for (Thread& thread : threads_) {
    thread.state = State::Done;
    thread.looked_at.clear();
  }
  begin_execution();
  threads_[0].state = State::Ready;
  threads_[0].name = "main";
  memory_.tick(0);
  getcontext(&threads_[0].context);
  threads_[0].context.uc_stack = {shadow_.stack(0), 0, Shadow::kStackBytes};
  threads_[0].context.uc_link = nullptr;
  makecontext(&threads_[0].context, &Engine::enter_main, 0);
  running_ = true;
  inside_ = false;
  swapcontext(&host_, &threads_[0].context);
  running_ = false;
  inside_ = false;
  if (failed_) return;
  if (const std::string leaks = shadow_.leaks(); !leaks.empty()) {
    failed_ = true;
    failure_ = "memory is left: " + leaks + "\n" + interleaving();
  }
}

void Engine::enter_main() {
  Engine& engine = get();
  {
    Execution execution;
    (*engine.body_)(execution);
  }
  inside_ = true;
  setcontext(&engine.host_);
}

void Engine::enter_thread() {
  Engine& engine = get();
  const unsigned self = engine.current_;
  inside_ = false;
  engine.execution_->bodies_[self - 1]();
  inside_ = true;
  engine.note("end", -1, std::memory_order_relaxed, 0, 0, 0, {});
  engine.threads_[self].state = State::Done;
  engine.reschedule();
}

void Engine::go(Execution& execution) {
  Inside inside;
  execution_ = &execution;
  for (unsigned i = 0; i < execution.count_; ++i) {
    Thread& thread = threads_[i + 1];
    thread.state = State::Ready;
    thread.name = execution.names_[i];
    memory_.edge(0, i + 1);
    memory_.tick(i + 1);
    getcontext(&thread.context);
    thread.context.uc_stack = {shadow_.stack(i + 1), 0, Shadow::kStackBytes};
    thread.context.uc_link = nullptr;
    makecontext(&thread.context, &Engine::enter_thread, 0);
  }
  memory_.tick(0);  // what main did before is before the threads, what it does later is not
  threads_[0].state = State::Done;
  if (execution.count_ != 0) reschedule();
  threads_[0].state = State::Ready;
  for (unsigned i = 0; i < execution.count_; ++i) memory_.edge(i + 1, 0);
}

void Engine::fail(std::string_view text) {
  inside_ = true;
  failed_ = true;
  failure_ = std::string(text) + "\n  repeat with ZOKIO_MODEL_REPLAY=" + decisions_.text(bounds_) +
             "\n" + interleaving();
  setcontext(&host_);
  std::abort();
}

// --- Who goes next ------------------------------------------------------------------------------

unsigned Engine::decide(Kind kind, unsigned n, int suggested) {
  bool fits = true;
  const unsigned chosen = decisions_.next(kind, n, suggested, fits);
  if (!fits) fail("the program is not the same in a repeated execution: it is not deterministic");
  return chosen;
}

// Before each step of the current thread.
void Engine::step() {
  ++steps_;
  memory_.tick(current_);
  if (steps_ > options_.steps) fail("no end after " + std::to_string(steps_ - 1) + " steps");
  if (current_ != 0) reschedule();
}

// Lets another thread go on, or this one.
void Engine::reschedule() {
  Able able;
  const bool ready = threads_[current_].state == State::Ready;
  if (ready) {
    if (used_.preemptions >= bounds_.preemptions) return;
    able.add(current_);
  }
  for (unsigned i = 1; i < kThreads; ++i)
    if (i != current_ && threads_[i].state == State::Ready) able.add(i);
  if (able.count == 0) {
    wait_is_over();
    return;
  }
  const unsigned next = able.at[pick(able, ready)];
  if (next == current_) return;
  if (ready) ++used_.preemptions;
  switch_to(next);
}

unsigned Engine::pick(const Able& able, bool current_is_first) {
  int suggested = -1;
  if (decisions_.mode() == Decisions::Mode::Random) {
    if (priorities_) {
      for (unsigned i = 0; i < change_points_.size(); ++i)
        if (change_points_[i] == steps_) threads_[current_].priority = i;
      unsigned best = 0;
      for (unsigned i = 1; i < able.count; ++i)
        if (threads_[able.at[i]].priority > threads_[able.at[best]].priority) best = i;
      suggested = static_cast<int>(best);
    } else if (current_is_first && decisions_.rng().below(3) != 0) {
      suggested = 0;
    }
  }
  return decide(Kind::Thread, able.count, suggested);
}

// Nobody is ready: those who spin look again in turn, then deadlines pass, then it is a deadlock.
void Engine::wait_is_over() {
  unsigned next = 0;
  for (unsigned i = 1; i < kThreads; ++i)
    if (threads_[i].state == State::Spinning &&
        (next == 0 || threads_[i].paused_at < threads_[next].paused_at))
      next = i;
  if (next != 0) {
    if (++idle_turns_ > kIdleTurns) fail("livelock: all who are left wait for a change in a loop");
    for (const Thread::Look& look : threads_[next].looked_at) memory_.refresh(next, look.location);
    threads_[next].state = State::Ready;
    return switch_to(next);
  }
  Able able;
  std::string asleep;
  for (unsigned i = 1; i < kThreads; ++i) {
    if (threads_[i].state != State::Asleep) continue;
    asleep += std::string(" ") + threads_[i].name;
    if (threads_[i].has_deadline) able.add(i);
  }
  if (asleep.empty()) return switch_to(0);  // all have ended
  if (able.count == 0) fail("deadlock: asleep for ever:" + asleep);
  next = able.at[decide(Kind::Thread, able.count)];
  threads_[next].timed_out = true;
  threads_[next].state = State::Ready;
  switch_to(next);
}

void Engine::switch_to(unsigned next) {
  if (next == current_) return;
  Thread& from = threads_[current_];
  current_ = next;
  swapcontext(&from.context, &threads_[next].context);
}

void Engine::looked(unsigned location, uint64_t value) {
  for (Thread::Look& look : threads_[current_].looked_at)
    if (look.location == location) return void(look.value = value);
  threads_[current_].looked_at.push_back({location, value});
}

// Whether something that the thread looked at is different now; then it sees all of it.
bool Engine::look_again(unsigned thread) {
  bool different = false;
  for (const Thread::Look& look : threads_[thread].looked_at)
    different |= memory_.value(look.location, memory_.newest(look.location)) != look.value;
  if (different)
    for (const Thread::Look& look : threads_[thread].looked_at)
      memory_.refresh(thread, look.location);
  return different;
}

// A location has another value: who spins over it goes on.
void Engine::changed() {
  idle_turns_ = 0;
  for (unsigned i = 1; i < kThreads; ++i)
    if (i != current_ && threads_[i].state == State::Spinning && look_again(i))
      threads_[i].state = State::Ready;
}

void Engine::spin_pause(Place place) {
  Inside inside;
  step();
  note("pause", -1, std::memory_order_relaxed, 0, 0, 0, place);
  if (current_ == 0) return;  // nobody else runs: its loop ends by itself, or by the bound of steps
  Thread& self = threads_[current_];
  if (!look_again(current_)) {
    self.state = State::Spinning;
    self.paused_at = steps_;
    reschedule();
    self.state = State::Ready;
  }
  self.looked_at.clear();
}

bool Engine::sleep_on(const void* at, bool has_deadline, Place place) {
  Inside inside;
  note("sleep", -1, std::memory_order_relaxed, 0, 0, 0, place);
  if (current_ == 0) fail("the main thread sleeps, and nobody else runs");
  Thread& self = threads_[current_];
  self.state = State::Asleep;
  self.sleeps_on = at;
  self.has_deadline = has_deadline;
  self.timed_out = false;
  reschedule();
  return !self.timed_out;
}

// What is compared is the newest value: the kernel's lock stands between the two sides.
void Engine::futex_wait(const void* at, uint32_t expected, bool has_deadline, Place place) {
  Inside inside;
  step();
  uint32_t now;
  std::memcpy(&now, at, sizeof now);
  if (now != expected) return note("no sleep", -1, std::memory_order_relaxed, 0, 0, 0, place);
  if (used_.spurious < bounds_.spurious && decide(Kind::Spurious, 2) == 1) {
    ++used_.spurious;
    return note("woken by nobody", -1, std::memory_order_relaxed, 0, 0, 0, place);
  }
  sleep_on(at, has_deadline, place);
}

void Engine::wake(const void* at, unsigned most, Place place, bool step) {
  Inside inside;
  if (step) this->step();
  note("wake", -1, std::memory_order_relaxed, 0, 0, 0, place);
  for (; most > 0; --most) {
    Able able;
    for (unsigned i = 1; i < kThreads; ++i)
      if (threads_[i].state == State::Asleep && threads_[i].sleeps_on == at) able.add(i);
    if (able.count == 0) return;
    threads_[able.at[decide(Kind::Choice, able.count)]].state = State::Ready;
    idle_turns_ = 0;
  }
}

unsigned Engine::new_channel() {
  Inside inside;
  pipes_.emplace_back();
  return static_cast<unsigned>(pipes_.size() - 1);
}

void Engine::send(unsigned channel, void* item, Place place) {
  Inside inside;
  step();
  note("send", -1, std::memory_order_release, 0, 0, 0, place);
  Pipe& pipe = pipes_[channel];
  pipe.items.push_back({item, {}});
  memory_.pack(current_, pipe.items.back().edge);
  wake(reinterpret_cast<void*>(uintptr_t{channel + 1}), 1, place, false);
}

void* Engine::receive(unsigned channel, Place place) {
  Inside inside;
  step();
  while (pipes_[channel].items.empty() && !pipes_[channel].closed)
    sleep_on(reinterpret_cast<void*>(uintptr_t{channel + 1}), false, place);
  Pipe& pipe = pipes_[channel];
  note("receive", -1, std::memory_order_acquire, 0, 0, 0, place);
  if (pipe.items.empty()) return nullptr;
  const Pipe::Item item = std::move(pipe.items.front());
  pipe.items.erase(pipe.items.begin());
  memory_.unpack(current_, item.edge);
  return item.what;
}

void Engine::close(unsigned channel, Place place) {
  Inside inside;
  step();
  note("close", -1, std::memory_order_release, 0, 0, 0, place);
  pipes_[channel].closed = true;
  wake(reinterpret_cast<void*>(uintptr_t{channel + 1}), kThreads, place, false);
}

unsigned Engine::choose(unsigned n) {
  Inside inside;
  const unsigned chosen = decide(Kind::Choice, n);
  note("choose", -1, std::memory_order_relaxed, chosen, n, 0, {});
  return chosen;
}

void Execution::thread(const char* name, std::function<void()> body) {
  if (count_ == kThreads - 1) fail("more threads than the explorer has room for");
  names_[count_] = name;
  bodies_[count_++] = std::move(body);
}

void Execution::go() {
  Engine::get().go(*this);
}

Report explore(const char* name, const Options& options, const Body& body) {
  return Engine::get().explore(name, options, body);
}

void print(const Report& report) {
  std::printf("%-44s %9llu executions%s, %llu steps, %.2f s\n", report.name.c_str(),
              static_cast<unsigned long long>(report.executions),
              report.failed     ? " to the failure"
              : report.complete ? ", all seen"
                                : ", cut off",
              static_cast<unsigned long long>(report.steps), report.seconds);
  std::fflush(stdout);
}

}  // namespace zokio::model
