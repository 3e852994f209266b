// SPDX-License-Identifier: Apache-2.0
#include "zokio/runtime.h"

#include <algorithm>
#include <future>
#include <mutex>

#include "base/env.h"
#include "io/driver.h"
#include "os/topology.h"
#include "rt/current_thread.h"
#include "sched/dump.h"
#include "sched/resize.h"
#include "sched/scheduler.h"
#include "zokio/fiber/stacks.h"
#include "zokio/mem/pools.h"
#include "zokio/sync/oneshot.h"

namespace zokio {
namespace {

// A task that does not end this long after it was cancelled is a bug: it ignores Errc::Cancelled.
constexpr Duration kDestroyDeadline = std::chrono::seconds(60);
constexpr unsigned kDefaultReactorsMax = 4;
constexpr std::string_view kAllPools = "total";

}  // namespace

struct Runtime::Impl {
  RuntimeOptions options;
  std::unique_ptr<io::Driver> driver;
  std::unique_ptr<sched::Scheduler> scheduler;
  // One of the two: a thread that resizes, or no threads and nothing to resize.
  std::unique_ptr<sched::ResizeControl> control;
  std::unique_ptr<CurrentThread> current_thread;
  std::once_flag stopped;

  Task<Result<ResizeReport>> resize(sched::ResizeControl::What what, unsigned count);
  Result<ResizeReport> resize_blocking(sched::ResizeControl::What what, unsigned count);
};

Result<std::unique_ptr<Runtime>> Runtime::create(RuntimeOptions options) {
  if (options.current_thread) {
    if (options.workers > 1)
      return fail(Errc::InvalidArgument, "workers of a current-thread runtime");
    options.workers = options.reactors = 1;
    options.placement = Placement::Inline;
  }
  if (options.workers == 0) options.workers = std::min(os::usable_cpus(), sched::kWorkerSlots);
  if (options.reactors == 0) options.reactors = std::min(options.workers, kDefaultReactorsMax);
  if (options.seed == 0) options.seed = env::fresh_seed();
  if (options.workers > sched::kWorkerSlots) return fail(Errc::InvalidArgument, "workers");
  if (options.reactors > io::kReactorSlots) return fail(Errc::InvalidArgument, "reactors");
  if (options.memory_limit != 0) {
    ZOKIO_TRY([[maybe_unused]] auto limited, mem::set_total_limit(options.memory_limit));
  }

  fibers::show_stacks();
  auto impl = std::make_unique<Impl>();
  ZOKIO_TRY(impl->driver, io::Driver::create({.backend = options.backend,
                                              .ring_entries = options.ring_entries,
                                              .receive_buffers = options.receive_buffers}));
  impl->scheduler = std::make_unique<sched::Scheduler>(
      sched::SchedulerOptions{.seed = options.seed,
                              .blocking_threads = options.blocking_threads,
                              .thread_name = options.thread_name},
      impl->driver.get());
  if (options.current_thread) {
    impl->current_thread = std::make_unique<CurrentThread>(*impl->scheduler);
    Result<void> started = impl->current_thread->start();
    if (!started.has_value()) {
      impl->current_thread->stop();
      return fail(started.error());
    }
  } else {
    impl->control = std::make_unique<sched::ResizeControl>(*impl->scheduler, impl->driver.get(),
                                                           options.placement);
    impl->scheduler->watchdog().compensate(
        {.kind = options.compensation,
         .max_extra = options.compensation_workers,
         .request = [control = impl->control.get()](unsigned n) { control->compensate(n); }});
    if (options.follow_cpu_quota) impl->control->follow(std::make_unique<sched::QuotaFollower>());
    if (options.follow_memory) impl->control->follow(std::make_unique<sched::MemoryFollower>());
    ZOKIO_CHECKED(impl->control->start(options.workers, options.reactors));
  }
  impl->options = std::move(options);
  return std::unique_ptr<Runtime>(new Runtime(std::move(impl)));
}

Runtime::Runtime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Runtime::~Runtime() {
  ZOKIO_CHECK(shutdown(kDestroyDeadline), "a task did not end after it was cancelled");
}

bool Runtime::shutdown(Duration timeout) {
  ZOKIO_CHECK(task::context().executor != impl_->scheduler.get(),
              "shutdown would wait for the task that calls it");
  const Instant deadline = Instant::now() + timeout;
  if (!(impl_->current_thread ? impl_->current_thread->cancel_all(deadline)
                              : impl_->scheduler->cancel_all(deadline)))
    return false;
  std::call_once(impl_->stopped, [this] {
    if (impl_->current_thread)
      impl_->current_thread->stop();
    else
      impl_->control->stop();
    impl_->scheduler->stop();
  });
  return true;
}

void Runtime::await_end(const task::Promise& task) {
  if (impl_->current_thread) impl_->current_thread->run_until(task);
  // Otherwise the caller's own wait is enough.
}

task::Executor* Runtime::executor() noexcept {
  return impl_->scheduler.get();
}
const RuntimeOptions& Runtime::options() const {
  return impl_->options;
}

// --- Resizing -----------------------------------------------------------------------------------

Task<Result<ResizeReport>> Runtime::Impl::resize(sched::ResizeControl::What what, unsigned count) {
  if (!control) co_return fail(Errc::FailedPrecondition, "a current-thread runtime has one size");
  auto [sender, receiver] = sync::oneshot<Result<ResizeReport>>();
  control->request(what, count, [tx = std::move(sender)](Result<ResizeReport> report) mutable {
    tx.send(std::move(report));
  });
  ZOKIO_CO_TRY(auto report, co_await receiver.recv());
  co_return report;
}

Result<ResizeReport> Runtime::Impl::resize_blocking(sched::ResizeControl::What what,
                                                    unsigned count) {
  if (!control) return fail(Errc::FailedPrecondition, "a current-thread runtime has one size");
  if (task::context().executor == scheduler.get())
    return fail(Errc::FailedPrecondition, "a blocking resize on a worker waits for itself");
  std::promise<Result<ResizeReport>> promise;
  std::future<Result<ResizeReport>> report = promise.get_future();
  control->request(what, count,
                   [&promise](Result<ResizeReport> r) { promise.set_value(std::move(r)); });
  return report.get();
}

Task<Result<ResizeReport>> Runtime::resize_workers(unsigned count) {
  return impl_->resize(sched::ResizeControl::What::Workers, count);
}
Task<Result<ResizeReport>> Runtime::resize_reactors(unsigned count) {
  return impl_->resize(sched::ResizeControl::What::Reactors, count);
}
Result<ResizeReport> Runtime::resize_workers_blocking(unsigned count) {
  return impl_->resize_blocking(sched::ResizeControl::What::Workers, count);
}
Result<ResizeReport> Runtime::resize_reactors_blocking(unsigned count) {
  return impl_->resize_blocking(sched::ResizeControl::What::Reactors, count);
}

namespace {

constexpr sched::ResizeControl::What rings(RingChange how) {
  return how == RingChange::Replace ? sched::ResizeControl::What::ReplaceRings
                                    : sched::ResizeControl::What::Rings;
}

}  // namespace

Task<Result<ResizeReport>> Runtime::resize_rings(unsigned entries, RingChange how) {
  return impl_->resize(rings(how), entries);
}
Result<ResizeReport> Runtime::resize_rings_blocking(unsigned entries, RingChange how) {
  return impl_->resize_blocking(rings(how), entries);
}
Task<Result<ResizeReport>> Runtime::resize_receive_buffers(unsigned count) {
  return impl_->resize(sched::ResizeControl::What::ReceiveBuffers, count);
}
Result<ResizeReport> Runtime::resize_receive_buffers_blocking(unsigned count) {
  return impl_->resize_blocking(sched::ResizeControl::What::ReceiveBuffers, count);
}

Result<ResizeReport> Runtime::resize_pool(std::string_view pool, uint64_t limit_bytes, bool force) {
  const Instant begin = Instant::now();
  sched::MemoryFollower* follower = impl_->control ? impl_->control->memory() : nullptr;
  Result<mem::LimitReport> done = pool != kAllPools     ? mem::set_limit(pool, limit_bytes, force)
                                  : follower != nullptr ? follower->ask(limit_bytes, force)
                                                        : mem::set_total_limit(limit_bytes, force);
  ZOKIO_TRY(const mem::LimitReport limited, std::move(done));
  ResizeReport report;
  report.component = "pool." + std::string(pool);
  report.from = limited.from;
  report.requested = limited.requested;
  report.reached = limited.requested + limited.residual_bytes;
  report.released_bytes = limited.released_bytes;
  report.residual_bytes = limited.residual_bytes;
  report.took = Instant::now() - begin;
  return report;
}

Result<void> Runtime::check_pool(std::string_view pool, uint64_t limit_bytes, bool force) const {
  return pool == kAllPools ? mem::check_total_limit(limit_bytes, force)
                           : mem::check_limit(pool, limit_bytes, force);
}

uint64_t Runtime::trim() {
  return mem::trim();
}

// --- Observation --------------------------------------------------------------------------------

RuntimeSnapshot Runtime::stats() const {
  RuntimeSnapshot out;
  out.taken_ns = env::now_ns();
  out.scheduler = impl_->scheduler->snapshot();
  out.scheduler.workers_desired = impl_->control ? impl_->control->workers_desired() : 1;
  if (impl_->control) out.scheduler.workers_extra = impl_->control->workers_extra();
  out.scheduler.cpu_quota = impl_->control ? impl_->control->quota() : 0;
  out.pools = mem::snapshots();
  out.memory = mem::memory_snapshot();
  if (const auto* follower = impl_->control ? impl_->control->memory() : nullptr) {
    out.memory.cgroup_limit_bytes = follower->limit_bytes();
    out.memory.cgroup_used_bytes = follower->used_bytes();
  }
  out.io = impl_->driver->snapshot();
  out.io.reactors_desired = impl_->control ? impl_->control->reactors_desired() : 1;
  return out;
}

TaskDump Runtime::dump(const DumpOptions& options) const {
  return sched::Dumper(*impl_->scheduler, options).run();
}
void Runtime::on_stall(const StallOptions& options, StallCallback callback) {
  impl_->scheduler->watchdog().stalls().configure(options, std::move(callback));
}
std::vector<StallReport> Runtime::stalls() const {
  return impl_->scheduler->watchdog().stalls().recent();
}
void Runtime::start_trace(Duration length) {
  impl_->scheduler->start_trace(length);
}
Trace Runtime::stop_trace() {
  return impl_->scheduler->stop_trace();
}

}  // namespace zokio
