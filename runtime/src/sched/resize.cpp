// SPDX-License-Identifier: Apache-2.0
#include "sched/resize.h"

#include <pthread.h>

#include <algorithm>
#include <bit>
#include <future>
#include <system_error>

#include "base/env.h"
#include "io/reactor.h"
#include "os/futex.h"
#include "zokio/base/assert.h"

namespace zokio::sched {

ResizeControl::ResizeControl(Scheduler& scheduler, io::Driver* driver, Placement placement)
    : scheduler_(scheduler), driver_(driver), placement_(placement) {}

Result<void> ResizeControl::start(unsigned workers, unsigned reactors) {
  ResizeReport report;
  asked_workers_ = workers;
  if (memory_ != nullptr) memory_->look(Instant::now());
  if (follower_ != nullptr) workers = follower_->look(Instant::now(), workers).value_or(workers);
  Result<void> started = reconcile(workers, driver_ != nullptr ? reactors : 0, report);
  if (!started.has_value()) {
    for (unsigned slot = 0; slot < io::kReactorSlots; ++slot)
      if (hosts_[slot] != Host::None) static_cast<void>(close(slot, report));
    scheduler_.stop();
    return started;
  }
  thread_ = std::thread([this] { run_thread(); });
  return {};
}

void ResizeControl::request(What what, unsigned count, Done done) {
  {
    std::scoped_lock guard(mutex_);
    if (!stopping_) {
      requests_.push_back({what, count, std::move(done)});
      ready_.notify_one();
      return;
    }
  }
  done(fail(Errc::Unavailable, "resize", Detail::Shutdown));
}

void ResizeControl::compensate(unsigned extra) {
  std::scoped_lock guard(mutex_);
  extra_wanted_ = extra;
  ready_.notify_one();
}

void ResizeControl::stop() {
  {
    std::scoped_lock guard(mutex_);
    stopping_ = true;
    ready_.notify_one();
  }
  if (!thread_.joinable()) return;
  thread_.join();
  for (Request& request : requests_)
    request.done(fail(Errc::Unavailable, "resize", Detail::Shutdown));
  requests_.clear();
  ResizeReport report;
  for (unsigned slot = 0; slot < io::kReactorSlots; ++slot)
    if (hosts_[slot] != Host::None) static_cast<void>(close(slot, report));
}

void ResizeControl::run_thread() {
  pthread_setname_np(pthread_self(), (scheduler_.thread_name() + "-ctl").substr(0, 15).c_str());
  std::unique_lock guard(mutex_);
  while (true) {
    const auto wanted = [this] {
      return stopping_ || !requests_.empty() || extra_wanted_ != workers_extra();
    };
    if (!wait(guard, wanted)) {
      guard.unlock();
      if (Instant::now() >= scheduler_.kept_thread_ends()) {
        scheduler_.end_kept_thread();
        thread_ended_ = Instant::now();
      }
      if (follower_ != nullptr) look_at_quota();
      if (memory_ != nullptr) memory_->look(Instant::now());
      guard.lock();
      continue;
    }
    if (stopping_) return;
    // First: a request may have to wait for the very worker that is stuck.
    if (extra_wanted_ != workers_extra()) {
      extra_.store(extra_wanted_, std::memory_order_relaxed);
      guard.unlock();
      reach_extra();
      guard.lock();
      continue;
    }
    Request request = std::move(requests_.front());
    requests_.pop_front();
    guard.unlock();
    request.done(carry_out(request));
    guard.lock();
  }
}

// False: nothing is wanted, and there is something to see to all the same.
template <class Wanted>
bool ResizeControl::wait(std::unique_lock<std::mutex>& guard, Wanted wanted) {
  const Instant ends = scheduler_.kept_thread_ends();
  const bool follows = follower_ != nullptr || memory_ != nullptr;
  if (!follows && ends.is_never()) {
    ready_.wait(guard, wanted);
    return true;
  }
  Duration longest = follows ? QuotaFollower::kEvery : kThreadKept;
  if (!ends.is_never())
    longest = std::min(longest, std::max(ends, thread_ended_ + kThreadEndsEvery) - Instant::now());
  return ready_.wait_for(guard, longest, wanted);
}

// Best effort: without a thread to be had, or with the cap reached, the stuck one is waited for.
void ResizeControl::reach_extra() {
  const unsigned count = std::min(workers_desired() + workers_extra(), kWorkerSlots);
  if (count > scheduler_.active_workers()) static_cast<void>(scheduler_.grow(count));
  scheduler_.trace_outside(TraceKind::Resize, nullptr, scheduler_.active_workers());
  // One that is itself inside a task retires when that ends; the next grow waits for it.
  scheduler_.shrink(count, Instant::now() + kExtraRetires);
}

// A change that cannot be carried out in full stays as far as it came; the next change of the quota
// tries again.
void ResizeControl::look_at_quota() {
  const std::optional<unsigned> workers = follower_->look(Instant::now(), asked_workers_);
  if (!workers.has_value() || *workers == workers_desired()) return;
  ResizeReport report;
  static_cast<void>(reconcile(*workers, reactors_desired(), report).has_value());
}

Result<ResizeReport> ResizeControl::carry_out(const Request& request) {
  if (request.what != What::Workers && request.what != What::Reactors) return change_rings(request);
  const Instant begin = Instant::now();
  const bool workers = request.what == What::Workers;
  const unsigned cap = workers ? kWorkerSlots : io::kReactorSlots;
  if (request.count == 0 || request.count > cap)
    return fail(Errc::InvalidArgument, workers ? "resize workers" : "resize reactors");
  if (!workers && driver_ == nullptr) return fail(Errc::FailedPrecondition, "resize reactors");
  if (workers) asked_workers_ = request.count;
  ResizeReport report;
  report.component = workers ? "workers" : "reactors";
  report.from = workers ? workers_desired() : reactors_desired();
  report.requested = request.count;
  ZOKIO_CHECKED(reconcile(workers ? request.count : workers_desired(),
                          workers ? reactors_desired() : request.count, report));
  report.reached = workers ? std::min(scheduler_.active_workers(), workers_desired())
                           : static_cast<uint64_t>(std::popcount(driver_->active()));
  report.took = Instant::now() - begin;
  return report;
}

Result<ResizeReport> ResizeControl::change_rings(const Request& request) {
  const bool buffers = request.what == What::ReceiveBuffers;
  if (driver_ == nullptr) return fail(Errc::FailedPrecondition, "resize rings");
  if (request.count == 0) return fail(Errc::InvalidArgument, "resize rings");
  const io::RingSizes from = driver_->ring_sizes();
  ZOKIO_TRY(ResizeReport report,
            driver_->resize_rings({.entries = buffers ? 0 : request.count,
                                   .buffers = buffers ? request.count : 0,
                                   .replace = request.what == What::ReplaceRings},
                                  Instant::now() + kRetireDeadline));
  report.component = buffers ? "receive_buffers" : "rings";
  report.from = buffers ? from.buffers : from.entries;
  report.requested = request.count;
  return report;
}

Result<void> ResizeControl::reconcile(unsigned workers, unsigned reactors, ResizeReport& report) {
  const unsigned all = std::min(workers + workers_extra(), kWorkerSlots);
  Result<void> grown = scheduler_.grow(all);
  if (!grown.has_value()) {
    workers_.store(std::min(scheduler_.active_workers(), workers), std::memory_order_relaxed);
    return grown;
  }
  scheduler_.trace_outside(TraceKind::Resize, nullptr, scheduler_.active_workers());
  workers_.store(workers > workers_ ? workers : workers_desired(), std::memory_order_relaxed);

  // New ones first, so that operations that have to move find a place.
  for (unsigned slot = 0; slot < reactors; ++slot) {
    if (hosts_[slot] == Host::None) ZOKIO_CHECKED(open(slot, wanted_host(slot, workers, reactors)));
  }
  reactors_.store(reactors > reactors_ ? reactors : reactors_desired(), std::memory_order_relaxed);
  for (unsigned slot = 0; slot < io::kReactorSlots; ++slot) {
    const Host wanted = wanted_host(slot, workers, reactors);
    if (hosts_[slot] == Host::None || hosts_[slot] == wanted) continue;
    ZOKIO_CHECKED(close(slot, report));
    if (wanted != Host::None) ZOKIO_CHECKED(open(slot, wanted));
  }
  reactors_.store(reactors, std::memory_order_relaxed);

  const Scheduler::Shrunk shrunk = scheduler_.shrink(all, Instant::now() + kRetireDeadline);
  workers_.store(workers, std::memory_order_relaxed);
  report.moved_tasks += shrunk.moved_tasks;
  report.moved_timers += shrunk.moved_timers;
  if (shrunk.stalled) return fail(Errc::DeadlineExceeded, "retire workers", Detail::Stalled);
  return {};
}

ResizeControl::Host ResizeControl::wanted_host(unsigned slot, unsigned workers,
                                               unsigned reactors) const noexcept {
  if (slot >= reactors) return Host::None;
  if (placement_ == Placement::Dedicated || slot >= workers) {
    return Host::Thread;
  }
  // What has a thread keeps it: moving it to a worker that came later would gain nothing.
  return hosts_[slot] == Host::Thread ? Host::Thread : Host::Worker;
}

Result<void> ResizeControl::open(unsigned slot, Host host) {
  if (host == Host::Thread) {
    ZOKIO_CHECKED(open_dedicated(slot));
  } else {
    Worker& worker = *scheduler_.slot(slot);
    worker.order_reactor(Worker::ReactorOrder::Open);
    ZOKIO_CHECKED(worker.reactor_order_by(Instant::now() + kRetireDeadline));
  }
  hosts_[slot] = host;
  return {};
}

Result<void> ResizeControl::open_dedicated(unsigned slot) {
  if (env::fault(env::Fault::ThreadStart))
    return fail(Errc::ResourceExhausted, "start reactor", Detail::Limit);
  auto host = std::make_unique<Dedicated>();
  std::promise<Result<void>> opened;
  std::future<Result<void>> outcome = opened.get_future();
  try {
    host->thread = std::thread([this, slot, &opened, ended = &host->ended] {
      const std::string name = "reactor-" + std::to_string(slot);
      pthread_setname_np(pthread_self(), name.c_str());
      Result<io::Reactor*> reactor = driver_->open_reactor(slot, name);
      opened.set_value(reactor.has_value() ? Result<void>() : fail(reactor.error()));
      if (reactor.has_value()) driver_->run_dedicated(**reactor);
      ended->store(1, std::memory_order_release);
      os::futex_wake(*ended, 1);
    });
  } catch (const std::system_error& error) {
    return fail_errno(error.code().value(), "start reactor");
  }
  Result<void> result = outcome.get();
  if (!result.has_value()) {
    host->thread.join();
    return result;
  }
  dedicated_[slot] = std::move(host);
  return {};
}

Result<void> ResizeControl::close(unsigned slot, ResizeReport& report) {
  const Instant deadline = Instant::now() + kRetireDeadline;
  if (hosts_[slot] == Host::Thread) {
    Dedicated& host = *dedicated_[slot];
    driver_->retire(slot);
    while (host.ended.load(std::memory_order_acquire) == 0) {
      if (Instant::now() >= deadline)
        return fail(Errc::DeadlineExceeded, "retire reactor", Detail::Stalled);
      os::futex_wait(host.ended, 0, deadline);
    }
    host.thread.join();
    dedicated_[slot].reset();
  } else {
    Worker& worker = *scheduler_.slot(slot);
    worker.order_reactor(Worker::ReactorOrder::Retire);
    ZOKIO_CHECKED(worker.reactor_order_by(deadline));
  }
  hosts_[slot] = Host::None;
  report.reissued_ops += driver_->reactor(slot).reissued();
  return {};
}

}  // namespace zokio::sched
