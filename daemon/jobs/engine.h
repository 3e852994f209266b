// SPDX-License-Identifier: Apache-2.0
#pragma once

// The job engine: takes jobs, keeps them durably, runs them on the runtime, tells what happened.
//
//   submit -> store (committed) -> queue -> runner -> kind -> store (committed) -> events, stats
//
// The rpc, soak and metrics modules use nothing else of the engine. A job is acknowledged after its
// commit; an attempt starts after its commit; a result is recorded for the current attempt, once.
// Thread: every method from any thread; those that return a Task are awaited on the runtime.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "jobs/stats.h"
#include "model/job.h"
#include "model/report.h"
#include "zokio/base/clock.h"
#include "zokio/task/task.h"

namespace zokio {
class Runtime;
}
namespace zokiod::store {
class Store;
}
namespace zokiod::kinds {
struct Policy;
}

namespace zokiod::jobs {

using model::Job;
using model::JobId;
using model::Reported;

// What may be changed while jobs run.
struct EngineLimits {
  uint32_t concurrency = 0;           // jobs running at a time; 0: 4 for each worker at the start
  uint64_t queue_limit = 100'000;     // jobs not finished; a submit beyond it: QUEUE_FULL
  uint64_t retain_finished = 10'000;  // finished jobs kept, newest first
  uint64_t output_limit_bytes = 64 * 1024;  // captured output kept of one attempt, its end
};

struct EngineOptions {
  zokio::Runtime* runtime = nullptr;  // outlives the engine
  store::Store* store = nullptr;      // opened; outlives the engine
  EngineLimits limits;
  std::shared_ptr<const kinds::Policy> policy;
  // Of the configuration, with their origin: set_configured_queues().
  std::vector<model::QueueSpec> queues = {};
};

struct SubmitOptions {
  std::string request_id;  // empty: every submit is a new job
  model::Principal principal;
  bool validate_only = false;  // every check, and nothing else
};

struct Submitted {
  Job job;                 // validate_only: its id is empty
  bool duplicate = false;  // request_id and spec were known: the earlier job
};

struct ListFilter {
  std::vector<model::JobState> states;        // empty: all
  std::string kind;                           // empty: all
  std::map<std::string, std::string> labels;  // all must match
  std::string queue = {};                     // empty: all
};

struct ListPage {
  std::vector<Job> jobs;      // newest first
  std::optional<JobId> next;  // give as `before` for the next page; nullopt: the last
};

// What a watcher receives. Revisions grow by one with each event of the engine, so a filtered watch
// sees gaps and an unfiltered one sees none.
struct JobEvent {
  uint64_t revision = 0;
  model::WallTime at;
  JobId id;
  std::string_view kind;  // static string
  model::JobState state = model::JobState::Queued;
  std::optional<model::JobState>
      previous;  // nullopt: the job is new; equal to state: cancel requested
  uint32_t attempt = 0;
  std::optional<model::Outcome> outcome;  // of the attempt that this event ends
};
struct WatchProgress {
  uint64_t revision = 0;  // everything up to here was delivered
};
using WatchItem = std::variant<JobEvent, WatchProgress>;

struct WatchOptions {
  // First revision wanted; 0: from now on. OutOfRange/REVISION_COMPACTED with metadata
  // compact_revision when it is no longer kept: list again, then watch from the list's revision.
  uint64_t start_revision = 0;
  std::optional<JobId> job;  // one job only
  std::string kind;          // empty: all
};

// A cursor into the engine's event history: it holds no events, so a slow reader costs no memory;
// one that falls behind the history ends with SUBSCRIBER_LAGGED. Destroy it before the engine
// stops.
class Subscription {
 public:
  virtual ~Subscription() = default;
  // The next matching event; WatchProgress when none came for `progress_interval`.
  // Errors: SUBSCRIBER_LAGGED, STOPPING (the engine stopped), Cancelled.
  // Thread: one reader, on the runtime. Cancel: no event is lost; call again.
  virtual zokio::Task<Reported<WatchItem>> next(zokio::Duration progress_interval) = 0;
};

struct LogChunk {
  std::string data;
  uint32_t attempt = 0;
  uint64_t offset = 0;         // of data[0] in the attempt's whole output
  uint64_t next_offset = 0;    // where to go on
  uint64_t dropped_bytes = 0;  // between the offset asked for and `offset`: over the limit
  bool end = false;            // the attempt ended and this is its last chunk
};

struct LogOptions {
  uint32_t attempt = 0;  // 0: the latest
  uint64_t offset = 0;
  bool follow = false;  // wait for more instead of returning an empty chunk
};

struct DrainStatus {
  EngineState state = EngineState::Serving;
  std::string reason;
  uint64_t running = 0;      // still
  uint64_t queued = 0;       // kept for the next start
  uint64_t finished = 0;     // ended by themselves since the drain began
  uint64_t interrupted = 0;  // queued again, not counted against them
};

class Engine {
 public:
  // Reads every job of the store, queues again what a crash interrupted, and starts running.
  static Reported<std::unique_ptr<Engine>> start(EngineOptions options);
  ~Engine();  // stop()

  // Errors: INVALID_FIELD with every violation, KIND_NOT_ALLOWED, PATH_NOT_ALLOWED,
  // QUEUE_NOT_FOUND, QUEUE_FULL (metadata "limit_name" and "limit"), QUEUE_DRAINING, DRAINING,
  // REQUEST_ID_REUSED, JOURNAL_UNAVAILABLE. Returns after the commit.
  // Cancel: the job may still be taken; ask again with the same request_id.
  zokio::Task<Reported<Submitted>> submit(model::JobSpec spec, SubmitOptions options);

  Reported<Job> get(JobId id) const;
  // At most `size` (kListPageMax), older than `before` when given. `revision`, when not null, is
  // set to the latest event at the time of the list: watch from revision + 1.
  ListPage list(const ListFilter& filter, std::optional<JobId> before, size_t size,
                uint64_t* revision = nullptr) const;

  // Queued and retrying jobs are cancelled when this returns; of a running one the attempt is told,
  // and its end comes as an event. JOB_NOT_FOUND; a job that finished already is returned as it is.
  zokio::Task<Reported<Job>> cancel(JobId id);
  // A finished job that did not succeed goes back into its queue, its failures forgotten; one that
  // waits (a delay, a dependency, a hold) goes into its queue now. JOB_NOT_FOUND; JOB_NOT_FINISHED
  // (it runs or is queued), JOB_FINISHED (it succeeded), QUEUE_NOT_FOUND, QUEUE_FULL, DRAINING.
  zokio::Task<Reported<Job>> requeue(JobId id);
  // The job once it is finished. JOB_NOT_FOUND, STOPPING, Cancelled.
  zokio::Task<Reported<Job>> wait(JobId id);

  Reported<std::unique_ptr<Subscription>> watch(WatchOptions options);
  // --- queues (queues.cpp). A change holds for jobs that wait already, and returns when it is
  // durable. ---
  std::vector<QueueStats> queues() const;
  Reported<QueueStats> queue(const std::string& name) const;
  // INVALID_FIELD, QUEUE_EXISTS, TOO_MANY_QUEUES, JOURNAL_UNAVAILABLE.
  zokio::Task<Reported<QueueStats>> create_queue(model::QueueSpec spec);
  // INVALID_FIELD, QUEUE_NOT_FOUND, JOURNAL_UNAVAILABLE.
  zokio::Task<Reported<QueueStats>> update_queue(std::string name, model::QueuePatch patch);
  // QUEUE_NOT_FOUND, QUEUE_NOT_EMPTY (jobs that are not finished), INVALID_FIELD (the default one).
  zokio::Task<Reported<>> remove_queue(std::string name);
  // Cancels every job of it that waits, and returns how many. Those that run, run on.
  zokio::Task<Reported<uint64_t>> purge_queue(std::string name);
  // Makes those that are missing, and changes those whose line is another than the one they came
  // from; what a call changed since stays. Returns at once.
  void set_configured_queues(const std::vector<model::QueueSpec>& queues);

  // One chunk (kLogChunkBytesMax). JOB_NOT_FOUND; OutOfRange for an attempt that never was.
  zokio::Task<Reported<LogChunk>> read_log(JobId id, LogOptions options);

  // Copies the store while it is in use; see store/backup.h.
  zokio::Task<Reported<store::BackupInfo>> backup(std::string name);

  // Takes no more jobs, starts no more attempts, waits for those that run, and interrupts the rest
  // at the deadline. Idempotent: a later call may shorten the deadline. Returns when nothing runs.
  zokio::Task<DrainStatus> drain(zokio::Duration deadline, std::string reason);
  DrainStatus drain_status() const;
  // Ends every wait with STOPPING, interrupts what runs and waits for it. Not from a worker.
  void stop();

  // Thread: any; takes the engine's lock for the time of a copy.
  EngineStats stats() const;
  EngineLimits limits() const;
  void set_limits(const EngineLimits& limits);
  std::shared_ptr<const kinds::Policy> policy() const;
  void set_policy(std::shared_ptr<const kinds::Policy> policy);

  struct Impl;  // engine_impl.h, for this module's own files

 private:
  explicit Engine(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace zokiod::jobs
