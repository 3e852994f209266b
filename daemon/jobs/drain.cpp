// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "jobs/engine_impl.h"
#include "jobs/runner.h"
#include "zokio/base/assert.h"
#include "zokio/timeout.h"

namespace zokiod::jobs {

using Impl = Engine::Impl;

Task<Result<bool>> receive(zokio::sync::OneshotReceiver<bool> receiver) {
  co_return co_await receiver.recv();
}

std::vector<std::shared_ptr<Run>> Impl::running_runs() {
  std::vector<std::shared_ptr<Run>> runs;
  for (auto& [id, entry] : jobs)
    if (entry.run) runs.push_back(entry.run);
  return runs;
}

DrainStatus Impl::drain_status() const {
  DrainStatus out = drain;
  out.state = state;
  out.running = running;
  out.queued = live - std::min(live, running);
  return out;
}

// Called when an attempt left, under the lock.
void Impl::note_idle() {
  if (running > 0) return;
  if (state == EngineState::Draining) state = EngineState::Drained;
  for (auto& watcher : idle_watchers) watcher.send(true);
  idle_watchers.clear();
  idle.notify_all();
}

Task<DrainStatus> Engine::drain(zokio::Duration deadline, std::string reason) {
  const std::shared_ptr<Impl> impl = impl_;
  const zokio::Instant until = zokio::Instant::now() + deadline;
  {
    std::lock_guard lock(impl->mutex);
    if (impl->state == EngineState::Serving) {
      impl->state = EngineState::Draining;
      impl->drain.reason = std::move(reason);
      if (impl->running == 0) impl->note_idle();
    }
  }
  bool late = false;
  while (true) {
    auto channel = zokio::sync::oneshot<bool>();
    std::vector<std::shared_ptr<Run>> stop;
    {
      std::lock_guard lock(impl->mutex);
      if (impl->running == 0) co_return impl->drain_status();
      impl->idle_watchers.push_back(std::move(channel.first));
      if (late) stop = impl->running_runs();
    }
    for (const auto& run : stop) run->stop(StopReason::Interrupt);
    // After the deadline a start that was still being written shows up within a moment: look again.
    const zokio::Instant next =
        late ? zokio::Instant::now() + std::chrono::milliseconds(100) : until;
    const Result<bool> idle =
        co_await zokio::with_deadline(receive(std::move(channel.second)), next);
    if (!idle && idle.error().code == Errc::Cancelled) {
      std::lock_guard lock(impl->mutex);
      co_return impl->drain_status();  // the caller left; the drain goes on without its deadline
    }
    late = late || zokio::Instant::now() >= until;
  }
}

DrainStatus Engine::drain_status() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->drain_status();
}

void Engine::stop() {
  ZOKIO_CHECK(zokio::task::context().worker == zokio::task::kNoWorker,
              "Engine::stop waits for tasks: not from a worker");
  std::vector<std::shared_ptr<Run>> runs;
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->state == EngineState::Stopped) return;
    impl_->state = EngineState::Stopped;
    runs = impl_->running_runs();
    if (impl_->alarm) impl_->alarm.cancel();
    for (auto& [id, entry] : impl_->jobs) impl_->tell(entry);
  }
  impl_->feed->stop();
  for (const auto& run : runs) run->stop(StopReason::Interrupt);
  std::unique_lock lock(impl_->mutex);
  impl_->idle.wait(lock, [this] { return impl_->running == 0 && impl_->background == 0; });
}

}  // namespace zokiod::jobs
