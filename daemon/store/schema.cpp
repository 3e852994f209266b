// SPDX-License-Identifier: Apache-2.0
#include "store/schema.h"

#include <fmt/format.h>

#include <array>

namespace zokiod::store {
namespace {

using zokio::Errc;

// Step 1. Times are nanoseconds since 1970. State and outcome numbers: model/job_state.h.
// The triggers repeat the rules of the state table where no program can go round them.
constexpr const char* kFirst = R"sql(
CREATE TABLE jobs (
  id               BLOB PRIMARY KEY CHECK (length(id) = 16),
  state            INTEGER NOT NULL CHECK (state BETWEEN 1 AND 7),
  kind             TEXT NOT NULL,
  spec             TEXT NOT NULL,
  uid              INTEGER NOT NULL,
  gid              INTEGER NOT NULL,
  request_id       TEXT,
  attempt          INTEGER NOT NULL DEFAULT 0,
  failures         INTEGER NOT NULL DEFAULT 0,
  interruptions    INTEGER NOT NULL DEFAULT 0,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  created          INTEGER NOT NULL,
  queued           INTEGER NOT NULL,
  started          INTEGER NOT NULL DEFAULT 0,
  finished         INTEGER NOT NULL DEFAULT 0,
  not_before       INTEGER NOT NULL DEFAULT 0,
  error_code       INTEGER NOT NULL DEFAULT 0,
  error_reason     TEXT NOT NULL DEFAULT '',
  error_message    TEXT NOT NULL DEFAULT '',
  result           TEXT NOT NULL DEFAULT '',
  UNIQUE (uid, request_id)
) WITHOUT ROWID;

CREATE TABLE attempts (
  job_id   BLOB NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  attempt  INTEGER NOT NULL CHECK (attempt > 0),
  started  INTEGER NOT NULL,
  PRIMARY KEY (job_id, attempt)
) WITHOUT ROWID;

CREATE TABLE results (
  job_id         BLOB NOT NULL,
  attempt        INTEGER NOT NULL,
  outcome        INTEGER NOT NULL CHECK (outcome BETWEEN 1 AND 5),
  finished       INTEGER NOT NULL,
  error_code     INTEGER NOT NULL,
  error_reason   TEXT NOT NULL,
  error_message  TEXT NOT NULL,
  result         TEXT NOT NULL,
  output         BLOB NOT NULL,
  output_dropped INTEGER NOT NULL,
  PRIMARY KEY (job_id, attempt),
  FOREIGN KEY (job_id, attempt) REFERENCES attempts (job_id, attempt) ON DELETE CASCADE
);

CREATE TRIGGER jobs_finished_for_good BEFORE UPDATE ON jobs WHEN OLD.state >= 4
BEGIN SELECT RAISE(ABORT, 'a finished job never changes'); END;

CREATE TRIGGER results_written_once BEFORE UPDATE ON results
BEGIN SELECT RAISE(ABORT, 'a result is written once'); END;
)sql";

// Step 2: named queues. The spec is text as in jobs (model/codec.h).
constexpr const char* kQueues = R"sql(
CREATE TABLE queues (
  name TEXT PRIMARY KEY,
  spec TEXT NOT NULL
) WITHOUT ROWID;
)sql";

// Step 3: the state Waiting (8), crashes, and finished jobs that may be queued again. A CHECK
// cannot be changed, so the table is made anew; foreign keys are off while steps are taken.
constexpr const char* kLife = R"sql(
CREATE TABLE new_jobs (
  id               BLOB PRIMARY KEY CHECK (length(id) = 16),
  state            INTEGER NOT NULL CHECK (state BETWEEN 1 AND 8),
  kind             TEXT NOT NULL,
  spec             TEXT NOT NULL,
  uid              INTEGER NOT NULL,
  gid              INTEGER NOT NULL,
  request_id       TEXT,
  attempt          INTEGER NOT NULL DEFAULT 0,
  failures         INTEGER NOT NULL DEFAULT 0,
  interruptions    INTEGER NOT NULL DEFAULT 0,
  crashes          INTEGER NOT NULL DEFAULT 0,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  created          INTEGER NOT NULL,
  queued           INTEGER NOT NULL,
  started          INTEGER NOT NULL DEFAULT 0,
  finished         INTEGER NOT NULL DEFAULT 0,
  not_before       INTEGER NOT NULL DEFAULT 0,
  error_code       INTEGER NOT NULL DEFAULT 0,
  error_reason     TEXT NOT NULL DEFAULT '',
  error_message    TEXT NOT NULL DEFAULT '',
  result           TEXT NOT NULL DEFAULT '',
  UNIQUE (uid, request_id)
) WITHOUT ROWID;

INSERT INTO new_jobs (id, state, kind, spec, uid, gid, request_id, attempt, failures, interruptions,
  cancel_requested, created, queued, started, finished, not_before, error_code, error_reason,
  error_message, result)
SELECT id, state, kind, spec, uid, gid, request_id, attempt, failures, interruptions,
  cancel_requested, created, queued, started, finished, not_before, error_code, error_reason,
  error_message, result FROM jobs;
DROP TABLE jobs;
ALTER TABLE new_jobs RENAME TO jobs;

CREATE TRIGGER jobs_finished_for_good BEFORE UPDATE ON jobs
WHEN OLD.state BETWEEN 4 AND 7 AND NOT (OLD.state > 4 AND NEW.state = 1 AND NEW.failures = 0)
BEGIN SELECT RAISE(ABORT, 'a finished job never changes'); END;
)sql";

constexpr std::array kSteps = {kFirst, kQueues, kLife};

}  // namespace

int schema_version() {
  return static_cast<int>(kSteps.size());
}

model::Reported<> migrate(Database& db, int up_to) {
  const auto failed = [&](zokio::Error error) {
    return model::refuse(model::make_report(error, "schema: " + db.message()));
  };
  const auto version = db.query_int("PRAGMA user_version");
  if (!version) return failed(version.error());
  if (*version > schema_version())
    return model::refuse(
        Errc::FailedPrecondition, "STORE_NEWER",
        fmt::format("the store has schema {}, this program knows up to {}: it was written by a "
                    "newer zokiod",
                    *version, schema_version()));
  // A table that is made anew would take its attempts along. Without effect inside a transaction.
  if (auto off = db.execute("PRAGMA foreign_keys = OFF"); !off) return failed(off.error());
  for (auto step = static_cast<size_t>(*version); step < static_cast<size_t>(up_to); ++step) {
    const std::string sql = fmt::format("BEGIN IMMEDIATE; {} PRAGMA user_version = {}; COMMIT;",
                                        kSteps[step], step + 1);
    if (auto done = db.execute(sql.c_str()); !done) {
      const auto refused = failed(done.error());
      static_cast<void>(db.execute("ROLLBACK"));
      return refused;
    }
  }
  return {};
}

}  // namespace zokiod::store
