// SPDX-License-Identifier: Apache-2.0
// The rules of a journal, on both implementations; and what only the file has.
#include "store/journal.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <fstream>

#include "jobs.h"
#include "store/memory_journal.h"
#include "store/schema.h"
#include "store/sqlite.h"
#include "store/sqlite_journal.h"

namespace zokiod::store {
namespace {

using model::JobState;
using model::Outcome;
using model::Trigger;
using zokio::Errc;
using zokio::Result;

enum class Kind { Memory, Sqlite };

class JournalRules : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::Memory) {
      journal_ = make_memory_journal();
    } else {
      auto opened = open_sqlite_journal(dir_.path());
      ASSERT_TRUE(opened) << opened.error().message;
      journal_ = *std::move(opened);
    }
    ASSERT_TRUE(journal_->load());
  }

  Result<void> apply(Write write) {
    EXPECT_TRUE(journal_->begin());
    Result<void> done = journal_->apply(write);
    EXPECT_TRUE(journal_->commit());
    return done;
  }
  void must(Write write) {
    const auto done = apply(std::move(write));
    ASSERT_TRUE(done) << done.error().to_string();
  }
  void refused(Write write, Errc code) {
    const auto done = apply(std::move(write));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, code) << done.error().to_string();
  }

  TempDir dir_;
  std::unique_ptr<Journal> journal_;
};

TEST_P(JournalRules, AJobGoesItsWay) {
  const Job queued = new_job();
  must(Insert{queued});
  const Job running = after(queued, Trigger::Start);
  must(StartAttempt{running});
  must(FinishAttempt{after(running, Trigger::Succeed), Outcome::Succeeded, "out", 3});
  const auto output = journal_->read_output(queued.id, 1);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->data, "out");
  EXPECT_EQ(output->dropped_bytes, 3u);
  EXPECT_EQ(journal_->read_output(queued.id, 2).error().code, Errc::NotFound);
}

TEST_P(JournalRules, AnAttemptStartsOnce) {
  const Job queued = new_job();
  must(Insert{queued});
  const Job running = after(queued, Trigger::Start);
  must(StartAttempt{running});
  refused(StartAttempt{running}, Errc::Aborted);
}

TEST_P(JournalRules, AResultIsWrittenOnce) {
  const Job queued = new_job();
  must(Insert{queued});
  const Job running = after(queued, Trigger::Start);
  must(StartAttempt{running});
  must(FinishAttempt{after(running, Trigger::Succeed), Outcome::Succeeded, "", 0});
  const auto again = apply(FinishAttempt{after(running, Trigger::Fail), Outcome::Failed, "", 0});
  EXPECT_FALSE(again);
}

TEST_P(JournalRules, OnlyTheCurrentAttemptHasItsResultTaken) {
  const Job queued = new_job();
  must(Insert{queued});
  const Job first = after(queued, Trigger::Start);
  must(StartAttempt{first});
  const Job requeued = after(first, Trigger::Interrupt);
  must(FinishAttempt{requeued, Outcome::Interrupted, "", 0});
  const Job second = after(requeued, Trigger::Start);
  ASSERT_EQ(second.attempt, 2u);
  must(StartAttempt{second});
  // The first attempt comes back late.
  EXPECT_FALSE(apply(FinishAttempt{after(first, Trigger::Succeed), Outcome::Succeeded, "", 0}));
  must(FinishAttempt{after(second, Trigger::Succeed), Outcome::Succeeded, "", 0});
}

TEST_P(JournalRules, ANotStartedJobHasNoResult) {
  const Job queued = new_job();
  must(Insert{queued});
  const Job running = after(queued, Trigger::Start);
  refused(FinishAttempt{after(running, Trigger::Succeed), Outcome::Succeeded, "", 0},
          Errc::Aborted);
}

TEST_P(JournalRules, AFinishedJobNeverChanges) {
  const Job queued = new_job();
  must(Insert{queued});
  must(Update{after(queued, Trigger::Cancel)});
  refused(Update{after(queued, Trigger::Cancel)}, Errc::Aborted);
  refused(StartAttempt{after(queued, Trigger::Start)}, Errc::Aborted);
}

TEST_P(JournalRules, RetryingAndDue) {
  const Job queued = new_job();
  must(Insert{queued});
  const Job running = after(queued, Trigger::Start);
  must(StartAttempt{running});
  const Job retrying = after(running, Trigger::Retry);
  must(FinishAttempt{retrying, Outcome::Failed, "", 0});
  const Job due = after(retrying, Trigger::Due);
  must(Update{due});
  must(StartAttempt{after(due, Trigger::Start)});
}

TEST_P(JournalRules, ARequestIdBelongsToOneJobOfAUser) {
  must(Insert{new_job("r1")});
  refused(Insert{new_job("r1")}, Errc::AlreadyExists);
  Job other = new_job("r1");
  other.principal.uid = 7;
  must(Insert{other});
  must(Insert{new_job()});
  must(Insert{new_job()});
}

TEST_P(JournalRules, OnlyFinishedJobsAreRemoved) {
  const Job queued = new_job("r");
  must(Insert{queued});
  must(Remove{{queued.id}});
  refused(Insert{new_job("r")}, Errc::AlreadyExists);
  must(Update{after(queued, Trigger::Cancel)});
  must(Remove{{queued.id}});
  must(Insert{new_job("r")});
}

TEST_P(JournalRules, ARefusedWriteLeavesTheTransactionUsable) {
  const Job first = new_job("same"), second = new_job("same"), third = new_job();
  ASSERT_TRUE(journal_->begin());
  EXPECT_TRUE(journal_->apply(Insert{first}));
  EXPECT_FALSE(journal_->apply(Insert{second}));
  EXPECT_TRUE(journal_->apply(Insert{third}));
  ASSERT_TRUE(journal_->commit());
  must(Update{after(third, Trigger::Cancel)});
  refused(Update{after(second, Trigger::Cancel)}, Errc::Aborted);
}

INSTANTIATE_TEST_SUITE_P(Both, JournalRules, testing::Values(Kind::Memory, Kind::Sqlite),
                         [](const auto& info) {
                           return info.param == Kind::Memory ? "Memory" : "Sqlite";
                         });

// --- the file ---

std::unique_ptr<Journal> open_at(const std::string& path) {
  auto journal = open_sqlite_journal(path);
  EXPECT_TRUE(journal) << journal.error().message;
  return journal ? *std::move(journal) : nullptr;
}

void write_all(Journal& journal, const std::vector<Write>& writes) {
  ASSERT_TRUE(journal.begin());
  for (const Write& write : writes) {
    const auto done = journal.apply(write);
    ASSERT_TRUE(done) << done.error().to_string();
  }
  ASSERT_TRUE(journal.commit());
}

TEST(SqliteJournal, EveryFieldComesBack) {
  TempDir dir;
  Job job = new_job("req-1");
  job.spec.work = model::ExecSpec{{"/bin/true", "x y", "\n"}, "/", {{"K", "V"}}, {}};
  job.spec.priority = -3;
  job.spec.labels = {{"a", "b"}};
  job.spec.retry = {4, std::chrono::seconds(2), std::chrono::minutes(1)};
  const Job running = after(job, Trigger::Start);
  Job done = after(running, Trigger::Fail);
  done.failures = 1;
  done.error = {Errc::Aborted, "EXIT_CODE", "exit code 3"};
  done.result = model::ExecResult{3, 0, 12};
  {
    auto journal = open_at(dir.path());
    ASSERT_TRUE(journal->load());
    write_all(*journal, {Insert{job}, StartAttempt{running},
                         FinishAttempt{done, Outcome::Failed, std::string("a\0b", 3), 9}});
  }
  auto journal = open_at(dir.path());
  const auto back = journal->load();
  ASSERT_TRUE(back);
  ASSERT_EQ(back->jobs.size(), 1u);
  const Job& got = back->jobs[0];
  EXPECT_EQ(got.id, done.id);
  EXPECT_EQ(got.spec, done.spec);
  EXPECT_EQ(got.state, JobState::Failed);
  EXPECT_EQ(got.principal, done.principal);
  EXPECT_EQ(got.request_id, "req-1");
  EXPECT_EQ(got.attempt, 1u);
  EXPECT_EQ(got.failures, 1u);
  EXPECT_EQ(got.created, done.created);
  EXPECT_EQ(got.queued, done.queued);
  EXPECT_EQ(got.started, done.started);
  EXPECT_EQ(got.finished, done.finished);
  EXPECT_EQ(got.error, done.error);
  EXPECT_EQ(got.result, done.result);
  EXPECT_EQ(back->interrupted, 0u);
  EXPECT_EQ(journal->read_output(done.id, 1)->data, std::string("a\0b", 3));
}

TEST(SqliteJournal, RunningJobsAreQueuedAgainAndTheAttemptIsRecorded) {
  TempDir dir;
  const Job job = new_job();
  const Job cancelled = new_job();
  {
    auto journal = open_at(dir.path());
    ASSERT_TRUE(journal->load());
    Job told = after(cancelled, Trigger::Start);
    told.cancel_requested = true;
    write_all(*journal, {Insert{job}, StartAttempt{after(job, Trigger::Start)}, Insert{cancelled},
                         StartAttempt{after(cancelled, Trigger::Start)}, Update{told}});
  }
  {
    auto journal = open_at(dir.path());
    const auto back = journal->load();
    ASSERT_TRUE(back);
    EXPECT_EQ(back->interrupted, 2u);
    EXPECT_EQ(back->jobs[0].state, JobState::Queued);
    EXPECT_EQ(back->jobs[0].attempt, 1u);
    EXPECT_EQ(back->jobs[0].failures, 0u);
    EXPECT_EQ(back->jobs[0].interruptions, 1u);
    EXPECT_EQ(back->jobs[1].state, JobState::Cancelled);
    EXPECT_TRUE(journal->read_output(job.id, 1));  // the attempt has its record
    // The next attempt has a number of its own.
    write_all(*journal, {StartAttempt{after(back->jobs[0], Trigger::Start)}});
  }
  auto journal = open_at(dir.path());
  const auto back = journal->load();
  ASSERT_TRUE(back);
  EXPECT_EQ(back->interrupted, 1u);
  EXPECT_EQ(back->jobs[0].attempt, 2u);
  EXPECT_EQ(back->jobs[0].interruptions, 2u);
}

TEST(SqliteJournal, TheFileItselfRefusesASecondResultAndAChangeOfAFinishedJob) {
  TempDir dir;
  const Job job = new_job();
  const Job running = after(job, Trigger::Start);
  auto journal = open_at(dir.path());
  ASSERT_TRUE(journal->load());
  write_all(*journal, {Insert{job}, StartAttempt{running},
                       FinishAttempt{after(running, Trigger::Succeed), Outcome::Succeeded, "", 0}});
  journal.reset();
  Database db;
  ASSERT_TRUE(db.open(dir.path() + "/zokio.db"));
  EXPECT_EQ(db.execute("UPDATE jobs SET state = 1").error().code, Errc::Aborted);
  EXPECT_EQ(db.execute("UPDATE results SET outcome = 2").error().code, Errc::Aborted);
  EXPECT_EQ(db.execute("INSERT INTO results SELECT * FROM results").error().code,
            Errc::AlreadyExists);
}

TEST(SqliteJournal, FilesAreTheOwnersOnly) {
  TempDir dir;
  auto journal = open_at(dir.path());
  ASSERT_TRUE(journal->load());
  write_all(*journal, {Insert{new_job()}});
  for (const char* name : {"/zokio.db", "/zokio.db-wal", "/lock"}) {
    struct stat s{};
    ASSERT_EQ(::stat((dir.path() + name).c_str(), &s), 0) << name;
    EXPECT_EQ(s.st_mode & 077, 0u) << name;
  }
  EXPECT_GT(journal->size_bytes(), 0u);
}

TEST(SqliteJournal, TwoDaemonsDoNotShareAStore) {
  TempDir dir;
  auto journal = open_at(dir.path());
  const auto second = open_sqlite_journal(dir.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().reason, "STORE_IN_USE");
}

TEST(SqliteJournal, ANewerFileIsRefused) {
  TempDir dir;
  {
    Database db;
    ASSERT_TRUE(db.open(dir.path() + "/zokio.db"));
    ASSERT_TRUE(db.execute("PRAGMA user_version = 999"));
  }
  const auto journal = open_sqlite_journal(dir.path());
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().reason, "STORE_NEWER");
}

TEST(SqliteJournal, AFileThatIsNoDatabaseIsRefusedAndKept) {
  TempDir dir;
  const std::string text(8192, 'x');
  std::ofstream(dir.path() + "/zokio.db") << text;
  const auto journal = open_sqlite_journal(dir.path());
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().error.code, Errc::DataLoss);
  std::ifstream in(dir.path() + "/zokio.db");
  EXPECT_EQ(std::string((std::istreambuf_iterator<char>(in)), {}), text);
}

TEST(SqliteJournal, AFullDiskRefusesAndLosesNothing) {
  TempDir dir;
  if (::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=512k,mode=0700") != 0)
    GTEST_SKIP() << "needs the right to mount a tmpfs";
  {
    auto journal = open_at(dir.path());
    ASSERT_TRUE(journal->load());
    std::vector<JobId> kept;
    Result<void> done;
    for (int i = 0; i < 1000 && done; ++i) {
      Job job = new_job();
      job.spec.labels = {{"padding", std::string(4096, 'p')}};
      done = journal->begin();
      if (done) done = journal->apply(Insert{job});
      if (done) done = journal->commit();
      if (done)
        kept.push_back(job.id);
      else
        journal->rollback();
    }
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().code == Errc::ResourceExhausted ||
                done.error().code == Errc::Unavailable)
        << done.error().to_string();
    ASSERT_GT(kept.size(), 5u);
    journal.reset();
    ASSERT_EQ(::mount("tmpfs", dir.path().c_str(), "tmpfs", MS_REMOUNT, "size=4m"), 0);
    journal = open_at(dir.path());
    const auto back = journal->load();
    ASSERT_TRUE(back);
    ASSERT_EQ(back->jobs.size(), kept.size());
    for (size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(back->jobs[i].id, kept[i]);
  }
  ::umount2(dir.path().c_str(), MNT_DETACH);
}

// A file of every older program, with a job in each of its states, comes forward whole.
TEST(Schema, EveryOldVersionComesForwardWithItsJobs) {
  for (int version = 1; version < schema_version(); ++version) {
    SCOPED_TRACE(version);
    TempDir dir;
    std::vector<JobId> made;
    {
      Database db;
      ASSERT_TRUE(db.open(dir.path() + "/zokio.db"));
      ASSERT_TRUE(migrate(db, version));
      ASSERT_EQ(*db.query_int("PRAGMA user_version"), version);
      Statement insert;
      ASSERT_TRUE(insert.prepare(
          db,
          "INSERT INTO jobs (id, state, kind, spec, uid, gid, request_id, attempt, failures, "
          "created, queued, error_reason) VALUES (?,?,'file.copy','source=/a\ndestination=/b\n',"
          "7,8,?,1,0,5,6,'WHY')"));
      for (int64_t state = 1; state <= 7; ++state) {
        made.push_back(ids().next());
        insert.bind(made.back()).bind(state).bind(std::string_view("r" + std::to_string(state)));
        ASSERT_TRUE(insert.run());
      }
      ASSERT_TRUE(db.execute("INSERT INTO attempts SELECT id, 1, 5 FROM jobs WHERE state <> 1"));
      ASSERT_TRUE(
          db.execute("INSERT INTO results SELECT id, 1, 1, 9, 0, '', '', '', 'said', 3 FROM jobs "
                     "WHERE state = 4"));
    }
    auto journal = open_sqlite_journal(dir.path());
    ASSERT_TRUE(journal) << journal.error().message;
    const auto back = (*journal)->load();
    ASSERT_TRUE(back) << back.error().message;
    ASSERT_EQ(back->jobs.size(), 7u);
    EXPECT_EQ(back->interrupted, 1u);
    for (size_t i = 0; i < 7; ++i) {
      const Job& job = back->jobs[i];
      EXPECT_EQ(job.id, made[i]);
      EXPECT_EQ(job.principal.uid, 7u);
      EXPECT_EQ(job.request_id, "r" + std::to_string(i + 1));
      EXPECT_EQ(std::get<model::FileCopySpec>(job.spec.work).destination, "/b");
      const auto state = static_cast<JobState>(i + 1);
      EXPECT_EQ(job.state, state == JobState::Running ? JobState::Queued : state);
    }
    const auto output = (*journal)->read_output(made[3], 1);
    ASSERT_TRUE(output) << "the attempts did not come along";
    EXPECT_EQ(output->data, "said");
    // The rules hold in the new table, too.
    EXPECT_TRUE((*journal)->begin());
    Job done = back->jobs[3];
    done.state = model::StateCell::restored(JobState::Queued);
    EXPECT_FALSE((*journal)->apply(Update{done}));
    EXPECT_TRUE((*journal)->commit());
  }
}

TEST(SqliteJournal, AJobThatTakesTheDaemonDownAgainAndAgainIsFailed) {
  TempDir dir;
  Job job = new_job();
  job.spec.retry.crashes_max = 3;
  {
    auto journal = open_at(dir.path());
    ASSERT_TRUE(journal->load());
    ASSERT_TRUE(journal->begin());
    ASSERT_TRUE(journal->apply(Insert{job}));
    ASSERT_TRUE(journal->commit());
  }
  for (uint32_t crash = 1; crash <= 3; ++crash) {
    {
      auto journal = open_at(dir.path());
      job = journal->load()->jobs.at(0);
      ASSERT_EQ(job.state, JobState::Queued);
      EXPECT_EQ(job.crashes, crash - 1);
      ASSERT_TRUE(journal->begin());
      ASSERT_TRUE(journal->apply(StartAttempt{after(job, Trigger::Start)}));
      ASSERT_TRUE(journal->commit());
    }
  }
  auto journal = open_at(dir.path());
  const auto last = journal->load();
  job = last->jobs.at(0);
  EXPECT_EQ(job.state, JobState::Failed);
  EXPECT_EQ(job.error.reason, "CRASHED");
  EXPECT_EQ(job.crashes, 3u);
  EXPECT_EQ(job.failures, 0u);
  EXPECT_TRUE(job.finished.is_set());
  EXPECT_EQ(last->interrupted, 1u);
}

}  // namespace
}  // namespace zokiod::store
