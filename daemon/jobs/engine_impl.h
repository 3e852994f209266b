// SPDX-License-Identifier: Apache-2.0
#pragma once

// The inside of the engine: every job in memory, and the steps that move it.
//
// A step is: under the lock, copy the job and change the copy; write the copy; when it is durable,
// under the lock again, put the copy in place, count, tell. What anyone sees is what is durable.
// One step of a job is under way at a time (Entry::step).
//
//   engine.cpp  submit, cancel, wait, list, logs
//   steps.cpp   the steps, and what follows from them
//   runner.cpp  one attempt as a task
//   agenda.cpp  what happens at a time
//   queues.cpp  queues: change, remove, purge
//   depend.cpp  delays and dependencies
//   drain.cpp   drain, stop
//
// Lock order: Impl::mutex, then the store's, the feed's, an output's.

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

#include "jobs/engine.h"
#include "jobs/events.h"
#include "jobs/output.h"
#include "jobs/queue_set.h"
#include "jobs/tally.h"
#include "kinds/kind.h"
#include "store/store.h"
#include "zokio/runtime.h"
#include "zokio/sync/oneshot.h"

namespace zokiod::jobs {

using model::JobState;
using model::Outcome;
using model::Report;
using model::Trigger;
using model::WallTime;
using zokio::Errc;
using zokio::Result;
using zokio::Task;

struct Run;
class Background;

// The write that is under way for a job.
enum class Step : uint8_t { None, Insert, Start, Finish, End, Due };

struct Entry {
  Job job;  // as it is in the store
  Step step = Step::None;
  bool committed = false;         // the insert is durable: others may see it
  Lane* lane = nullptr;           // its queue, until it is finished
  QueueSet::Place place;          // in the queue, while it is there
  std::shared_ptr<Run> run;       // while an attempt runs
  WallTime alarm;                 // its place in the agenda; not set: it has none
  std::vector<JobId> dependents;  // jobs that wait for its end
  uint32_t pins = 0;              // waiting jobs that look at how it ended: it is kept
  std::vector<zokio::sync::OneshotSender<bool>> watchers;  // told of the end of each step
  std::optional<Report> insert_error;  // for those that wait for an insert that failed
};

struct Engine::Impl : std::enable_shared_from_this<Engine::Impl> {
  // `last`: the greatest id in the store.
  Impl(EngineOptions options, JobId last);

  // --- steps.cpp. Requires: mutex, unless it says otherwise. ---
  void start_next();  // as many as may run
  void begin_start(Entry& entry);
  void requeue(Entry& entry, QueueSet::Place place);
  void count(Entry& entry, std::optional<JobState> from, std::optional<JobState> to);
  void finish_step(Entry& entry, const Job& job, std::optional<Outcome> outcome);
  void announce(Entry& entry, std::optional<JobState> previous, std::optional<Outcome> outcome);
  void enqueue(Entry& entry);
  void tell(Entry& entry);
  void retire(JobId id);  // a job became final: keep the newest
  void forget(JobId id);
  Entry* find(JobId id);
  // A receiver that resolves at the end of the step under way, or at the next one.
  zokio::sync::OneshotReceiver<bool> step_end(Entry& entry);
  // Not under the mutex: called by the store's writer and by tasks.
  void inserted(JobId id, Result<void> done);
  void started(JobId id, Job job, QueueSet::Place place, Result<void> done);
  static Task<void> pump_later(Background self);

  // --- agenda.cpp: what happens at a time. Requires: mutex. ---
  void schedule(Entry& entry, WallTime when);  // instead of what it had
  void unschedule(Entry& entry);
  void set_alarm(zokio::Instant when);  // start_next() and the agenda are looked at then
  void run_agenda();
  void arm(Entry& entry, WallTime not_before = {});  // for its state; not earlier than that
  void begin_due(Entry& entry);
  void step_failed(Entry& entry);  // the store refused: as it was, and again in a moment

  // --- depend.cpp: jobs that wait before they are queued. Requires: mutex. ---
  std::optional<Report> check_after(const model::JobSpec& spec);
  void join_dependencies(Entry& entry);
  void leave_dependencies(const Job& job);
  void consider(Entry& entry);  // Waiting: whether what it waits for has come
  void begin_requeue(Entry& entry);
  void begin_hold(Entry& entry, model::JobError why);
  static Task<void> ring(Background self, zokio::Instant when);

  // --- queues.cpp. Requires: mutex. ---
  // Why a job cannot join its queue now; nullopt: it can.
  std::optional<Report> no_room(const model::JobSpec& spec);
  Lane& add_queue(model::QueueSpec spec);
  Lane& lane_of(const Job& job);  // made when the store has lost it
  void put_queue(Lane& lane, model::QueueSpec spec, zokio::sync::OneshotSender<Result<void>> done);
  // Ends a job that waits: Cancel or Expire.
  void begin_end(Entry& entry, Trigger trigger, model::JobError why);

  // --- runner.cpp ---
  static Task<void> run_attempt(std::shared_ptr<Impl> self, std::shared_ptr<Run> run);
  void settle(const Job& job, Outcome outcome, Result<void> recorded);

  // --- drain.cpp ---
  std::vector<std::shared_ptr<Run>> running_runs();
  DrainStatus drain_status() const;
  void note_idle();

  // Constant after construction.
  zokio::Runtime& runtime;
  store::Store& store;
  const std::shared_ptr<EventFeed> feed;
  model::JobIdSource ids;

  mutable std::mutex mutex;
  // Guarded by mutex.
  EngineLimits limits;
  std::shared_ptr<const kinds::Policy> policy;
  EngineState state = EngineState::Serving;
  std::map<JobId, Entry> jobs;
  std::unordered_map<std::string, JobId> requests;  // "uid:request_id"
  QueueSet queues;
  std::set<std::pair<WallTime, JobId>> agenda;  // backoffs; one task sleeps until the first
  zokio::Instant alarm_at = zokio::Instant::never();
  zokio::JoinHandle<void> alarm;
  std::deque<JobId> finished;  // in the order in which they became final
  uint64_t live = 0;           // jobs that are not final
  uint64_t running = 0;        // attempts from begin_start to their record
  uint64_t background = 0;     // tasks of pump_later and ring
  bool pump_pending = false;   // a start could not be written: one task waits
  Tally tally;
  DrainStatus drain;
  std::vector<zokio::sync::OneshotSender<bool>> idle_watchers;
  std::condition_variable idle;
};

// Counts a task that stop() waits for. Made under the mutex by who spawns it, given to the task,
// and gone after the task's last touch of the engine.
class Background {
 public:
  explicit Background(std::shared_ptr<Engine::Impl> impl) : impl_(std::move(impl)) {
    ++impl_->background;
  }
  Background(Background&&) noexcept = default;
  Background& operator=(Background&&) = delete;
  ~Background() {
    if (!impl_) return;
    std::lock_guard lock(impl_->mutex);
    --impl_->background;
    impl_->idle.notify_all();
  }
  Engine::Impl* operator->() const { return impl_.get(); }

 private:
  std::shared_ptr<Engine::Impl> impl_;
};

inline std::string request_key(const model::Principal& who, const std::string& request_id) {
  return request_id.empty() ? "" : std::to_string(who.uid) + ":" + request_id;
}

inline Report stopping() {
  return model::make_report(Errc::Unavailable, model::reason::kStopping, "the daemon stops");
}
inline Report not_found(JobId id) {
  return model::make_report(Errc::NotFound, model::reason::kJobNotFound,
                            "no job " + id.to_string());
}

// The receiver as a task, for with_timeout and for a plain co_await.
Task<Result<bool>> receive(zokio::sync::OneshotReceiver<bool> receiver);

}  // namespace zokiod::jobs
