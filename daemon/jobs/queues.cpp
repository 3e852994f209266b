// SPDX-License-Identifier: Apache-2.0
// Queues while jobs run: made, changed, removed, emptied.
#include <fmt/format.h>

#include <utility>

#include "jobs/engine_impl.h"
#include "model/limits.h"
#include "zokio/base/assert.h"

namespace zokiod::jobs {
namespace {

using Impl = Engine::Impl;

// Jobs looked at under one hold of the lock while a queue is emptied.
constexpr size_t kPurgeScan = 4096;

Report no_queue(const QueueSet& queues, const std::string& name) {
  Report out = model::make_report(
      Errc::NotFound, model::reason::kQueueNotFound,
      fmt::format("no queue \"{}\"; there are: {}", name.substr(0, 80), queues.names()));
  out.metadata["queue"] = name;
  return out;
}

Report not_stored(const Impl& impl, std::string_view what) {
  return model::make_report(
      Errc::Unavailable, model::reason::kJournalUnavailable,
      fmt::format("{} could not be stored: {}", what, impl.store.stats().error));
}

Report queue_full(std::string_view queue, std::string_view limit_name, uint64_t have,
                  uint64_t limit) {
  Report out = model::make_report(
      Errc::ResourceExhausted, model::reason::kQueueFull,
      fmt::format("{} jobs are not finished, {} is {}", have, limit_name, limit));
  out.metadata["queue"] = queue;
  out.metadata["limit_name"] = limit_name;
  out.metadata["limit"] = std::to_string(limit);
  return out;
}

}  // namespace

// Finished jobs of an earlier queue of that name count again.
Lane& Impl::add_queue(model::QueueSpec spec) {
  Lane& lane = queues.add(std::move(spec));
  for (const JobId id : finished)
    if (const Entry* entry = find(id); entry->job.spec.queue_name() == lane.spec.name)
      ++lane.states[static_cast<size_t>(entry->job.state.get())];
  return lane;
}

Lane& Impl::lane_of(const Job& job) {
  if (Lane* lane = queues.find(job.spec.queue_name())) return *lane;
  model::QueueSpec spec;
  spec.name = job.spec.queue_name();
  return queues.add(std::move(spec));
}

std::optional<Report> Impl::no_room(const model::JobSpec& spec) {
  Lane* lane = queues.find(spec.queue_name());
  if (lane == nullptr || lane->removing) return no_queue(queues, spec.queue);
  if (lane->spec.mode == model::QueueMode::Draining) {
    ++lane->refused;
    Report out = model::make_report(
        Errc::FailedPrecondition, model::reason::kQueueDraining,
        fmt::format("queue \"{}\" drains and takes no more jobs", lane->spec.name));
    out.metadata["queue"] = lane->spec.name;
    return out;
  }
  if (lane->spec.size_limit != 0 && lane->live >= lane->spec.size_limit) {
    ++lane->refused;
    return queue_full(lane->spec.name, fmt::format("size_limit of queue \"{}\"", lane->spec.name),
                      lane->live, lane->spec.size_limit);
  }
  if (live >= limits.queue_limit)
    return queue_full(lane->spec.name, "jobs.queue_limit", live, limits.queue_limit);
  return std::nullopt;
}

// Changes that come meanwhile are of what was asked for last, so none is lost.
void Impl::put_queue(Lane& lane, model::QueueSpec spec,
                     zokio::sync::OneshotSender<Result<void>> done) {
  lane.asked = std::move(spec);
  ++lane.writes;
  store.write(store::PutQueue{lane.asked},
              [self = shared_from_this(), put = lane.asked,
               sender = std::move(done)](Result<void> written) mutable {
                {
                  std::lock_guard lock(self->mutex);
                  Lane* changed = self->queues.find(put.name);
                  --changed->writes;
                  if (written) changed->spec = put;
                  if (!written && changed->writes == 0) changed->asked = changed->spec;
                  if (written) self->start_next();
                }
                sender.send(std::move(written));
              });
}

void Impl::begin_end(Entry& entry, Trigger trigger, model::JobError why) {
  entry.step = Step::End;
  queues.erase(std::exchange(entry.place, {}));
  unschedule(entry);
  Job job = entry.job;
  const auto moved = transition(job.state, trigger);
  ZOKIO_CHECK(moved.has_value(), "a waiting job can end");
  job.finished = WallTime::now();
  job.error = std::move(why);
  store.write(store::Update{job}, [self = shared_from_this(), job](Result<void> done) {
    std::lock_guard lock(self->mutex);
    Entry* e = self->find(job.id);
    if (!done) return self->step_failed(*e);
    self->finish_step(*e, job, std::nullopt);
  });
}

std::vector<QueueStats> Engine::queues() const {
  std::vector<QueueStats> out;
  const zokio::Instant now = zokio::Instant::now();
  std::lock_guard lock(impl_->mutex);
  for (const auto& [name, lane] : impl_->queues.lanes())
    out.push_back(impl_->queues.stats(*lane, now));
  return out;
}

Reported<QueueStats> Engine::queue(const std::string& name) const {
  std::lock_guard lock(impl_->mutex);
  const Lane* lane = impl_->queues.find(name);
  if (lane == nullptr) return model::refuse(no_queue(impl_->queues, name));
  return impl_->queues.stats(*lane, zokio::Instant::now());
}

Task<Reported<QueueStats>> Engine::create_queue(model::QueueSpec spec) {
  const std::shared_ptr<Impl> impl = impl_;
  if (auto ok = model::validate(spec); !ok) co_return model::refuse(std::move(ok.error()));
  const std::string name = spec.name;
  auto channel = zokio::sync::oneshot<Result<void>>();
  {
    std::lock_guard lock(impl->mutex);
    if (impl->queues.find(name) != nullptr) {
      Report exists = model::make_report(Errc::AlreadyExists, model::reason::kQueueExists,
                                         fmt::format("queue \"{}\" is there already", name));
      exists.metadata["queue"] = name;
      co_return model::refuse(std::move(exists));
    }
    if (impl->queues.lanes().size() >= model::kQueuesMax)
      co_return model::refuse(
          Errc::ResourceExhausted, model::reason::kTooManyQueues,
          fmt::format("{} queues, the most there may be", impl->queues.lanes().size()));
    // Its jobs are written behind it, so it may be used from here on.
    Lane& lane = impl->add_queue(spec);
    impl->put_queue(lane, std::move(spec), std::move(channel.first));
  }
  const auto written = co_await channel.second.recv();
  if (!written) co_return model::refuse(model::make_report(written.error(), "create a queue"));
  if (!*written) {
    std::lock_guard lock(impl->mutex);
    // It goes if nobody came meanwhile; else it stays, and a later change stores it.
    if (const Lane* lane = impl->queues.find(name);
        lane != nullptr && lane->live == 0 && lane->writes == 0)
      impl->queues.remove(name);
    co_return model::refuse(not_stored(*impl, "the queue"));
  }
  co_return queue(name);
}

Task<Reported<QueueStats>> Engine::update_queue(std::string name, model::QueuePatch patch) {
  const std::shared_ptr<Impl> impl = impl_;
  auto channel = zokio::sync::oneshot<Result<void>>();
  {
    std::lock_guard lock(impl->mutex);
    Lane* lane = impl->queues.find(name);
    if (lane == nullptr || lane->removing) co_return model::refuse(no_queue(impl->queues, name));
    model::QueueSpec spec = patch.applied_to(lane->asked);
    if (auto ok = model::validate(spec); !ok) co_return model::refuse(std::move(ok.error()));
    impl->put_queue(*lane, std::move(spec), std::move(channel.first));
  }
  const auto written = co_await channel.second.recv();
  if (!written) co_return model::refuse(model::make_report(written.error(), "change a queue"));
  if (!*written) co_return model::refuse(not_stored(*impl, "the change"));
  co_return queue(name);
}

Task<Reported<>> Engine::remove_queue(std::string name) {
  const std::shared_ptr<Impl> impl = impl_;
  auto channel = zokio::sync::oneshot<Result<void>>();
  {
    std::lock_guard lock(impl->mutex);
    Lane* lane = impl->queues.find(name);
    if (lane == nullptr || lane->removing) co_return model::refuse(no_queue(impl->queues, name));
    if (name == model::kDefaultQueue)
      co_return model::refuse(Errc::InvalidArgument, model::reason::kInvalidField,
                              "name: the default queue cannot be removed; it can be paused");
    if (lane->live > 0 || lane->writes > 0) {
      Report busy = model::make_report(
          Errc::FailedPrecondition, model::reason::kQueueNotEmpty,
          fmt::format("queue \"{}\" has {} jobs that are not finished, {} of them running", name,
                      lane->live, lane->running));
      busy.metadata["queue"] = name;
      co_return model::refuse(std::move(busy));
    }
    lane->removing = true;
    impl->store.write(store::RemoveQueue{name},
                      [impl, name, sender = std::move(channel.first)](Result<void> done) mutable {
                        {
                          std::lock_guard guard(impl->mutex);
                          if (done)
                            impl->queues.remove(name);
                          else
                            impl->queues.find(name)->removing = false;
                        }
                        sender.send(std::move(done));
                      });
  }
  const auto written = co_await channel.second.recv();
  if (!written) co_return model::refuse(model::make_report(written.error(), "remove a queue"));
  if (!*written) co_return model::refuse(not_stored(*impl, "the removal"));
  co_return Reported<>();
}

// In pieces, so that submits and starts go on meanwhile; what came after the call began stays.
Task<Reported<uint64_t>> Engine::purge_queue(std::string name) {
  const std::shared_ptr<Impl> impl = impl_;
  JobId next;
  JobId last;
  {
    std::lock_guard lock(impl->mutex);
    if (impl->queues.find(name) == nullptr) co_return model::refuse(no_queue(impl->queues, name));
    if (impl->jobs.empty()) co_return uint64_t{0};
    last = impl->jobs.rbegin()->first;
  }
  uint64_t cancelled = 0;
  for (bool more = true; more;) {
    std::optional<zokio::sync::OneshotReceiver<bool>> ended;
    {
      std::lock_guard lock(impl->mutex);
      auto it = impl->jobs.lower_bound(next);
      size_t seen = 0;
      for (; it != impl->jobs.end() && it->first <= last && seen < kPurgeScan; ++it, ++seen) {
        Entry& entry = it->second;
        if (entry.job.spec.queue_name() != name || is_terminal(entry.job.state) ||
            entry.job.state == JobState::Running || entry.step != Step::None || !entry.committed)
          continue;
        // The writes are answered in order: the end of the last is the end of all.
        ended = impl->step_end(entry);
        impl->begin_end(entry, Trigger::Cancel,
                        {Errc::Cancelled, "PURGED", "its queue was purged"});
        ++cancelled;
      }
      more = it != impl->jobs.end() && it->first <= last;
      if (more) next = it->first;
    }
    if (!ended) continue;
    const Result<bool> told = co_await ended->recv();
    if (!told && told.error().code == Errc::Cancelled)
      co_return model::refuse(model::make_report(told.error(), "purge a queue"));
  }
  if (!impl->store.stats().healthy) co_return model::refuse(not_stored(*impl, "the purge"));
  co_return cancelled;
}

void Engine::set_configured_queues(const std::vector<model::QueueSpec>& queues) {
  std::lock_guard lock(impl_->mutex);
  for (const model::QueueSpec& wanted : queues) {
    Lane* lane = impl_->queues.find(wanted.name);
    if (lane != nullptr && (lane->asked.origin == wanted.origin || lane->removing)) continue;
    if (lane == nullptr && impl_->queues.lanes().size() >= model::kQueuesMax) continue;
    model::QueueSpec spec = wanted;
    if (lane == nullptr)
      lane = &impl_->add_queue(spec);
    else
      spec.mode = lane->asked.mode;  // who paused it will say when it goes on
    auto channel = zokio::sync::oneshot<Result<void>>();
    // Not written now: the next start does it again.
    impl_->put_queue(*lane, std::move(spec), std::move(channel.first));
  }
}

}  // namespace zokiod::jobs
