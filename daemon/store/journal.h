// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is written, and where: the interface between the writer thread and a place that keeps jobs.
//
// The rules hold in every implementation: an attempt starts once, its result is written once, only
// the current attempt of a running job has its result taken, and a finished job never changes.
// Thread: the writer's, after load().

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "model/job.h"
#include "model/queue.h"
#include "model/report.h"
#include "zokio/base/result.h"

namespace zokiod::store {

using model::Job;
using model::JobId;

// A new job, queued.
struct Insert {
  Job job;
};
// `job` as it is after the transition to Running, with its new attempt number.
struct StartAttempt {
  Job job;
};
// `job` as it is after the attempt ended: finished, retrying, or queued again.
struct FinishAttempt {
  Job job;
  model::Outcome outcome = model::Outcome::Failed;
  std::string output;  // captured, already bounded
  uint64_t output_dropped_bytes = 0;
};
// A change outside an attempt: ready, due or queued again, held, cancelled or expired before it
// ran, cancel asked for while it runs.
struct Update {
  Job job;
};
// Whether an Update may find a job in `from` that is in `to` behind it.
constexpr bool update_allowed(model::JobState from, model::JobState to) {
  using enum model::JobState;
  switch (to) {
    case Running:
      return from == Running;
    case Waiting:
      return from == Waiting;
    case Queued:
      return from != Queued && from != Running && from != Succeeded;
    case Cancelled:
    case TimedOut:
      return is_waiting(from);
    case Retrying:
    case Succeeded:
    case Failed:
      return false;
  }
  return false;
}
// Finished jobs that are no longer kept, with their attempts.
struct Remove {
  std::vector<JobId> ids;
};
// A queue, new or changed.
struct PutQueue {
  model::QueueSpec queue;
};
// Its finished jobs stay.
struct RemoveQueue {
  std::string name;
};
// Nothing; acknowledged when everything before it is committed.
struct Barrier {};

using Write = std::variant<Insert, StartAttempt, FinishAttempt, Update, Remove, PutQueue,
                           RemoveQueue, Barrier>;

struct Recovered {
  std::vector<Job> jobs;                 // in the order of their ids; Running ones are Queued again
  std::vector<model::QueueSpec> queues;  // in the order of their names
  uint64_t interrupted = 0;              // attempts that the end of the last process cut
};

struct Output {
  std::string data;
  uint64_t dropped_bytes = 0;  // written before `data`, over the limit
};

class Journal {
 public:
  virtual ~Journal() = default;

  // Reads every job. An attempt that was running is recorded as interrupted and its job queued
  // again, or cancelled if that was asked for. Once, before anything else. Thread: any one.
  virtual model::Reported<Recovered> load() = 0;

  virtual zokio::Result<void> begin() = 0;
  // One write, all or nothing. Errors: Aborted (fenced: the job is not in the state the write
  // needs), AlreadyExists (id, request_id, or a second result of an attempt), ResourceExhausted
  // (disk full), Unavailable. A refused write changes nothing; the transaction goes on.
  virtual zokio::Result<void> apply(const Write& write) = 0;
  // Durable when it returns. On an error nothing since begin() has happened.
  virtual zokio::Result<void> commit() = 0;
  virtual void rollback() = 0;

  // Whether it can be written again, by writing something that means nothing. After a failure.
  virtual zokio::Result<void> probe() {
    ZOKIO_CHECKED(begin());
    return commit();
  }
  // Gives a bounded amount of free space back to the disk. Between two batches.
  virtual void tidy() {}
  // The file that holds everything; empty: there is none. Thread: any.
  virtual std::string file() const { return {}; }

  // NotFound: no such attempt, or it has not ended.
  virtual zokio::Result<Output> read_output(JobId id, uint32_t attempt) = 0;

  // Thread: any.
  virtual bool durable() const = 0;
  virtual uint64_t size_bytes() const = 0;
};

}  // namespace zokiod::store
