// SPDX-License-Identifier: Apache-2.0
// A copy of a store in use, damage found at the start, and space that goes back to the disk.
#include "store/backup.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "jobs.h"
#include "store/sqlite.h"
#include "store/sqlite_journal.h"
#include "store/store.h"

namespace zokiod::store {
namespace {

using zokio::Errc;

std::unique_ptr<Journal> open_at(const std::string& path) {
  auto journal = open_sqlite_journal(path);
  EXPECT_TRUE(journal) << journal.error().message;
  return *std::move(journal);
}

void insert(Journal& journal, int count) {
  ASSERT_TRUE(journal.begin());
  for (int i = 0; i < count; ++i) {
    Job job = new_job();
    job.spec.labels = {{"padding", std::string(4000, 'p')}};
    ASSERT_TRUE(journal.apply(Insert{job}));
  }
  ASSERT_TRUE(journal.commit());
}

// The copy opens as a store and has every job that was acknowledged before it was asked for.
TEST(Backup, HasWhatWasAcknowledgedWhileWritesGoOn) {
  TempDir dir;
  Store store(open_at(dir.path()));
  ASSERT_TRUE(store.open());
  std::atomic<int> acknowledged{0};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    while (!stop) {
      std::atomic<bool> done{false};
      store.write(Insert{new_job()}, [&](zokio::Result<void> r) {
        acknowledged += r.has_value();
        done = true;
        done.notify_one();
      });
      done.wait(false);
    }
  });
  for (int round = 0; round < 5; ++round) {
    const int target = acknowledged + 20;
    while (acknowledged < target) std::this_thread::yield();
    const int before = acknowledged;
    const auto made = store.backup("b" + std::to_string(round) + ".db");
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_GE(made->jobs, static_cast<uint64_t>(before));
    TempDir other;
    std::filesystem::copy_file(made->path, other.path() + "/zokio.db");
    const auto back = open_at(other.path())->load();
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->jobs.size(), made->jobs);
  }
  stop = true;
  writer.join();
}

TEST(Backup, RefusesAPathAndANameThatIsTaken) {
  TempDir dir;
  Store store(open_at(dir.path()));
  ASSERT_TRUE(store.open());
  for (const char* name : {"../x", "/tmp/x", ".hidden", "a b", "a/b"}) {
    const auto refused = store.backup(name);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().reason, "INVALID_FIELD");
  }
  ASSERT_TRUE(store.backup("one.db"));
  EXPECT_EQ(store.backup("one.db").error().reason, "BACKUP_EXISTS");
  const auto named = store.backup("");
  ASSERT_TRUE(named);
  EXPECT_NE(named->path.find("/backups/zokio-2"), std::string::npos);
  // Nothing half done is left.
  for (const auto& entry : std::filesystem::directory_iterator(dir.path() + "/backups"))
    EXPECT_EQ(entry.path().extension(), ".db");
}

TEST(SqliteJournal, ADamagedFileIsNamedAtTheStartAndKept) {
  TempDir dir;
  const std::string path = dir.path() + "/zokio.db";
  {
    auto journal = open_at(dir.path());
    ASSERT_TRUE(journal->load());
    insert(*journal, 200);
  }
  {
    // The middle of the tree of jobs.
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20 * 4096);
    file << std::string(4096 * 4, '\x5a');
  }
  const auto size = std::filesystem::file_size(path);
  const auto refused = open_sqlite_journal(dir.path());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "STORE_DAMAGED");
  EXPECT_EQ(refused.error().error.code, Errc::DataLoss);
  EXPECT_NE(refused.error().message.find(path), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(path), size);
}

TEST(SqliteJournal, SpaceOfRemovedJobsGoesBackInPieces) {
  TempDir dir;
  auto journal = open_at(dir.path());
  ASSERT_TRUE(journal->load());
  std::vector<JobId> removed;
  ASSERT_TRUE(journal->begin());
  for (int i = 0; i < 3000; ++i) {
    Job job = new_job();
    job.spec.labels = {{"padding", std::string(4000, 'p')}};
    ASSERT_TRUE(journal->apply(Insert{job}));
    ASSERT_TRUE(journal->apply(Update{after(job, model::Trigger::Cancel)}));
    removed.push_back(job.id);
  }
  ASSERT_TRUE(journal->commit());
  ASSERT_TRUE(journal->begin());
  ASSERT_TRUE(journal->apply(Remove{removed}));
  ASSERT_TRUE(journal->commit());
  const auto pages = [&] {
    Database db;
    EXPECT_TRUE(db.open(dir.path() + "/zokio.db"));
    return *db.query_int("PRAGMA page_count");
  };
  const int64_t full = pages();
  ASSERT_GT(full, 3000);
  journal->tidy();
  const int64_t once = pages();
  EXPECT_LT(once, full);
  EXPECT_GE(once, full - 300);  // a piece, not all
  for (int i = 0; i < 50; ++i) journal->tidy();
  EXPECT_LT(pages(), 1200);
  ASSERT_TRUE(journal->probe());
}

}  // namespace
}  // namespace zokiod::store
