// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite_journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "model/codec.h"
#include "model/limits.h"
#include "store/schema.h"
#include "store/sqlite.h"
#include "zokio/base/assert.h"
#include "zokio/os/fd.h"

namespace zokiod::store {
namespace {

using model::JobState;
using model::Outcome;
using model::WallTime;
using zokio::Errc;
using zokio::Result;

constexpr const char* kJobColumns =
    "id, state, kind, spec, uid, gid, request_id, attempt, failures, interruptions, "
    "crashes, cancel_requested, created, queued, started, finished, not_before, error_code, "
    "error_reason, "
    "error_message, result";

// Pages of the log after which its content moves to the database: 16 MiB, so that a checkpoint's
// fsyncs are shared by thousands of commits while recovery still reads it in well under a second.
constexpr const char* kSettings =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "PRAGMA wal_autocheckpoint = 4096; PRAGMA journal_size_limit = 67108864;"
    "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;";

// Free pages that are left in the file, for what comes next: 4 MiB. A turn of tidy() gives back
// 1 MiB, which a submit that comes then waits for, a few milliseconds.
constexpr int64_t kFreePagesKept = 1024;

Result<Job> read_job(Statement& row) {
  Job job;
  int c = 0;
  job.id = row.column_id(c++);
  const auto state = static_cast<JobState>(row.column_int(c++));
  const std::string kind = row.column_text(c++);
  ZOKIO_TRY(job.spec, model::decode_spec(kind, row.column_text(c++)));
  job.state = model::StateCell::restored(state);
  job.principal.uid = static_cast<uint32_t>(row.column_int(c++));
  job.principal.gid = static_cast<uint32_t>(row.column_int(c++));
  job.request_id = row.column_text(c++);
  job.attempt = static_cast<uint32_t>(row.column_int(c++));
  job.failures = static_cast<uint32_t>(row.column_int(c++));
  job.interruptions = static_cast<uint32_t>(row.column_int(c++));
  job.crashes = static_cast<uint32_t>(row.column_int(c++));
  job.cancel_requested = row.column_int(c++) != 0;
  for (WallTime* time : {&job.created, &job.queued, &job.started, &job.finished, &job.not_before})
    time->unix_ns = row.column_int(c++);
  job.error.code = static_cast<Errc>(row.column_int(c++));
  job.error.reason = row.column_text(c++);
  job.error.message = row.column_text(c++);
  if (const std::string result = row.column_text(c++); !result.empty()) {
    ZOKIO_TRY(job.result, model::decode_result(result));
  }
  return job;
}

int64_t stored(JobState state) {
  return static_cast<int64_t>(state);
}

std::string stored(const model::JobResult& result) {
  return std::holds_alternative<std::monostate>(result) ? "" : model::encode_result(result);
}

// What becomes of a job that ran when the last process ended.
Outcome end_of_interrupted(Job& job) {
  const WallTime now = WallTime::now();
  ++job.crashes;
  const uint32_t most =
      job.spec.retry.crashes_max == 0 ? model::kCrashesDefault : job.spec.retry.crashes_max;
  const bool cancel = job.cancel_requested;
  const bool poison = !cancel && job.crashes >= most;
  const auto moved = transition(job.state, cancel   ? model::Trigger::Cancel
                                           : poison ? model::Trigger::Fail
                                                    : model::Trigger::Interrupt);
  ZOKIO_CHECK(moved.has_value(), "a running job ends");
  if (cancel) {
    job.finished = now;
    job.error = {Errc::Cancelled, "CANCELLED",
                 "cancelled; the daemon ended before the attempt did"};
    return Outcome::Cancelled;
  }
  ++job.interruptions;
  if (!poison) {
    job.queued = now;
    return Outcome::Interrupted;
  }
  job.finished = now;
  job.error = {Errc::Aborted, "CRASHED",
               fmt::format("the daemon ended {} times in a row while it ran, max_crashes is {}",
                           job.crashes, most)};
  return Outcome::Interrupted;
}

class SqliteJournal final : public Journal {
 public:
  model::Reported<> open(const std::string& directory);

  model::Reported<Recovered> load() override;
  Result<void> begin() override { return begin_.run(); }
  Result<void> apply(const Write& write) override;
  Result<void> commit() override { return commit_.run(); }
  void rollback() override { static_cast<void>(rollback_.run()); }
  Result<void> probe() override;
  void tidy() override;
  std::string file() const override { return path_; }
  Result<Output> read_output(JobId id, uint32_t attempt) override;
  bool durable() const override { return true; }
  uint64_t size_bytes() const override;

 private:
  model::Reported<> lock(const std::string& directory);
  Result<void> prepare();
  Result<void> read_queues(Recovered& out);
  Result<void> recover(Recovered& out);

  Result<void> write(const Insert& w);
  Result<void> write(const StartAttempt& w);
  Result<void> write(const FinishAttempt& w);
  Result<void> write(const Update& w);
  Result<void> write(const Remove& w);
  Result<void> write(const PutQueue& w);
  Result<void> write(const RemoveQueue& w);
  Result<void> write(const Barrier&) { return {}; }
  // Sets the changing columns of a job that is in `state` at `attempt`. Aborted: it is not.
  Result<void> update_job(const Job& job, JobState state, uint32_t attempt);

  // Constant after open().
  zokio::os::Fd lock_;
  std::string path_;

  Database db_;  // before the statements: they go first
  Statement begin_, commit_, rollback_, savepoint_, release_, undo_;
  Statement insert_job_, update_job_, insert_attempt_, insert_result_, remove_job_, read_output_;
  Statement put_queue_, remove_queue_;
};

model::Reported<> SqliteJournal::lock(const std::string& directory) {
  const std::string path = directory + "/lock";
  lock_ = zokio::os::Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock_)
    return model::refuse(model::make_report(zokio::Error::from_errno(errno, "open"), path));
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return model::refuse(Errc::FailedPrecondition, "STORE_IN_USE",
                           directory + " is in use by another zokiod");
    return model::refuse(model::make_report(zokio::Error::from_errno(errno, "flock"), path));
  }
  return {};
}

model::Reported<> SqliteJournal::open(const std::string& directory) {
  if (auto locked = lock(directory); !locked) return locked;
  path_ = directory + "/zokio.db";
  if (auto opened = db_.open(path_); !opened) return opened;
  const auto failed = [&](zokio::Error error) {
    return model::refuse(model::make_report(error, path_ + ": " + db_.message()));
  };
  // Before the first table, or it has no effect: an older file stays without.
  if (auto set = db_.execute("PRAGMA auto_vacuum = INCREMENTAL"); !set) return failed(set.error());
  if (auto set = db_.execute(kSettings); !set) return failed(set.error());
  if (auto migrated = migrate(db_); !migrated) return migrated;
  if (auto sound = check_integrity(db_, path_); !sound) return sound;
  if (auto on = db_.execute("PRAGMA foreign_keys = ON"); !on) return failed(on.error());
  if (auto prepared = prepare(); !prepared) return failed(prepared.error());
  return {};
}

Result<void> SqliteJournal::prepare() {
  const auto insert = fmt::format(
      "INSERT INTO jobs ({}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", kJobColumns);
  struct {
    Statement& statement;
    const char* sql;
  } const all[] = {
      {begin_, "BEGIN IMMEDIATE"},
      {commit_, "COMMIT"},
      {rollback_, "ROLLBACK"},
      {savepoint_, "SAVEPOINT one"},
      {release_, "RELEASE one"},
      {undo_, "ROLLBACK TO one"},
      {insert_job_, insert.c_str()},
      {update_job_,
       "UPDATE jobs SET state = ?, attempt = ?, failures = ?, interruptions = ?, "
       "crashes = ?, cancel_requested = ?, queued = ?, started = ?, finished = ?, not_before = ?, "
       "error_code = ?, error_reason = ?, error_message = ?, result = ? "
       "WHERE id = ? AND state = ? AND attempt = ?"},
      {insert_attempt_, "INSERT INTO attempts (job_id, attempt, started) VALUES (?,?,?)"},
      {insert_result_,
       "INSERT INTO results (job_id, attempt, outcome, finished, error_code, error_reason, "
       "error_message, result, output, output_dropped) VALUES (?,?,?,?,?,?,?,?,?,?)"},
      {remove_job_, "DELETE FROM jobs WHERE id = ? AND state BETWEEN 4 AND 7"},
      {put_queue_, "INSERT OR REPLACE INTO queues (name, spec) VALUES (?,?)"},
      {remove_queue_, "DELETE FROM queues WHERE name = ?"},
      {read_output_, "SELECT output, output_dropped FROM results WHERE job_id = ? AND attempt = ?"},
  };
  for (const auto& [statement, sql] : all) ZOKIO_CHECKED(statement.prepare(db_, sql));
  return {};
}

Result<void> SqliteJournal::apply(const Write& write) {
  if (std::holds_alternative<Barrier>(write)) return {};
  ZOKIO_CHECKED(savepoint_.run());
  Result<void> done = std::visit([this](const auto& w) { return this->write(w); }, write);
  if (!done) ZOKIO_CHECKED(undo_.run());
  ZOKIO_CHECKED(release_.run());
  return done;
}

Result<void> SqliteJournal::write(const Insert& w) {
  const Job& job = w.job;
  insert_job_.bind(job.id)
      .bind(stored(job.state))
      .bind(job.spec.kind())
      .bind(model::encode_spec(job.spec))
      .bind(int64_t{job.principal.uid})
      .bind(int64_t{job.principal.gid});
  if (job.request_id.empty())
    insert_job_.bind_null();
  else
    insert_job_.bind(std::string_view(job.request_id));
  insert_job_.bind(int64_t{job.attempt})
      .bind(int64_t{job.failures})
      .bind(int64_t{job.interruptions})
      .bind(int64_t{job.crashes})
      .bind(int64_t{job.cancel_requested})
      .bind(job.created.unix_ns)
      .bind(job.queued.unix_ns)
      .bind(job.started.unix_ns)
      .bind(job.finished.unix_ns)
      .bind(job.not_before.unix_ns)
      .bind(static_cast<int64_t>(job.error.code))
      .bind(std::string_view(job.error.reason))
      .bind(std::string_view(job.error.message))
      .bind(std::string_view(stored(job.result)));
  return insert_job_.run();
}

Result<void> SqliteJournal::update_job(const Job& job, JobState state, uint32_t attempt) {
  update_job_.bind(stored(job.state))
      .bind(int64_t{job.attempt})
      .bind(int64_t{job.failures})
      .bind(int64_t{job.interruptions})
      .bind(int64_t{job.crashes})
      .bind(int64_t{job.cancel_requested})
      .bind(job.queued.unix_ns)
      .bind(job.started.unix_ns)
      .bind(job.finished.unix_ns)
      .bind(job.not_before.unix_ns)
      .bind(static_cast<int64_t>(job.error.code))
      .bind(std::string_view(job.error.reason))
      .bind(std::string_view(job.error.message))
      .bind(std::string_view(stored(job.result)))
      .bind(job.id)
      .bind(stored(state))
      .bind(int64_t{attempt});
  ZOKIO_CHECKED(update_job_.run());
  if (db_.changes() != 1) return zokio::fail(Errc::Aborted, "store: job state");
  return {};
}

Result<void> SqliteJournal::write(const StartAttempt& w) {
  ZOKIO_CHECKED(update_job(w.job, JobState::Queued, w.job.attempt - 1));
  insert_attempt_.bind(w.job.id).bind(int64_t{w.job.attempt}).bind(w.job.started.unix_ns);
  return insert_attempt_.run();
}

Result<void> SqliteJournal::write(const FinishAttempt& w) {
  ZOKIO_CHECKED(update_job(w.job, JobState::Running, w.job.attempt));
  const WallTime end = w.job.finished.is_set() ? w.job.finished : WallTime::now();
  insert_result_.bind(w.job.id)
      .bind(int64_t{w.job.attempt})
      .bind(static_cast<int64_t>(w.outcome))
      .bind(end.unix_ns)
      .bind(static_cast<int64_t>(w.job.error.code))
      .bind(std::string_view(w.job.error.reason))
      .bind(std::string_view(w.job.error.message))
      .bind(std::string_view(stored(w.job.result)))
      .bind_blob(w.output)
      .bind(static_cast<int64_t>(w.output_dropped_bytes));
  return insert_result_.run();
}

Result<void> SqliteJournal::write(const Update& w) {
  for (const JobState from : model::kJobStates) {
    if (!update_allowed(from, w.job.state)) continue;
    Result<void> done = update_job(w.job, from, w.job.attempt);
    if (done || done.error().code != Errc::Aborted) return done;
  }
  return zokio::fail(Errc::Aborted, "store: job state");
}

Result<void> SqliteJournal::write(const Remove& w) {
  for (const JobId& id : w.ids) {
    remove_job_.bind(id);
    ZOKIO_CHECKED(remove_job_.run());
  }
  return {};
}

Result<void> SqliteJournal::write(const PutQueue& w) {
  put_queue_.bind(std::string_view(w.queue.name))
      .bind(std::string_view(model::encode_queue(w.queue)));
  return put_queue_.run();
}

Result<void> SqliteJournal::write(const RemoveQueue& w) {
  remove_queue_.bind(std::string_view(w.name));
  return remove_queue_.run();
}

Result<Output> SqliteJournal::read_output(JobId id, uint32_t attempt) {
  read_output_.bind(id).bind(int64_t{attempt});
  ZOKIO_TRY(const bool found, read_output_.step());
  if (!found) return zokio::fail(Errc::NotFound, "store: output");
  Output out{read_output_.column_text(0), static_cast<uint64_t>(read_output_.column_int(1))};
  read_output_.reset();
  return out;
}

// The version is written as it is: a page of the log, and a sync.
Result<void> SqliteJournal::probe() {
  const auto sql =
      fmt::format("BEGIN IMMEDIATE; PRAGMA user_version = {}; COMMIT;", schema_version());
  Result<void> done = db_.execute(sql.c_str());
  if (!done) static_cast<void>(db_.execute("ROLLBACK"));
  return done;
}

void SqliteJournal::tidy() {
  const auto free = db_.query_int("PRAGMA freelist_count");
  if (!free || *free < kFreePagesKept) return;
  // What fails now is done at the next turn.
  static_cast<void>(db_.execute("PRAGMA incremental_vacuum(256)"));
}

uint64_t SqliteJournal::size_bytes() const {
  uint64_t total = 0;
  struct stat s;
  for (const char* suffix : {"", "-wal"})
    if (::stat((path_ + suffix).c_str(), &s) == 0) total += static_cast<uint64_t>(s.st_size);
  return total;
}

model::Reported<Recovered> SqliteJournal::load() {
  Recovered out;
  const auto failed = [&](zokio::Error error) {
    return model::refuse(model::make_report(error, path_ + ": " + db_.message()));
  };
  {
    Statement all;
    const auto sql = fmt::format("SELECT {} FROM jobs ORDER BY id", kJobColumns);
    if (auto ok = all.prepare(db_, sql.c_str()); !ok) return failed(ok.error());
    while (true) {
      const auto row = all.step();
      if (!row) return failed(row.error());
      if (!*row) break;
      auto job = read_job(all);
      if (!job) return failed(job.error());
      out.jobs.push_back(*std::move(job));
    }
  }
  if (auto done = read_queues(out); !done) return failed(done.error());
  if (auto done = recover(out); !done) {
    const auto refused = failed(done.error());
    rollback();
    return refused;
  }
  return out;
}

Result<void> SqliteJournal::read_queues(Recovered& out) {
  Statement all;
  ZOKIO_CHECKED(all.prepare(db_, "SELECT name, spec FROM queues ORDER BY name"));
  while (true) {
    ZOKIO_TRY(const bool found, all.step());
    if (!found) return {};
    const std::string name = all.column_text(0);
    ZOKIO_TRY(model::QueueSpec spec, model::decode_queue(name, all.column_text(1)));
    out.queues.push_back(std::move(spec));
  }
}

// What was running when the last process ended did not end by itself.
Result<void> SqliteJournal::recover(Recovered& out) {
  ZOKIO_CHECKED(begin());
  for (Job& job : out.jobs) {
    if (job.state != JobState::Running) continue;
    const Outcome outcome = end_of_interrupted(job);
    FinishAttempt end{job, outcome, {}, 0};
    ZOKIO_CHECKED(apply(end));
    ++out.interrupted;
  }
  return commit();
}

}  // namespace

model::Reported<std::unique_ptr<Journal>> open_sqlite_journal(const std::string& directory) {
  auto journal = std::make_unique<SqliteJournal>();
  if (auto opened = journal->open(directory); !opened) return std::unexpected(opened.error());
  return journal;
}

}  // namespace zokiod::store
