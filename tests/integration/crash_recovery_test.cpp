// SPDX-License-Identifier: Apache-2.0
// 10,000 jobs are submitted by several clients while zokiod is killed with SIGKILL at random
// moments and started again, 20 times. Every acknowledged job reaches exactly one final state, no
// attempt's result is recorded twice, and no attempt runs twice: commands leave a line for each
// execution. Seeded: ZOKIO_TEST_SEED.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "daemon_process.h"
#include "engine_client.h"
#include "seed.h"

namespace zokio::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kJobs = 10'000;
constexpr int kKills = 20;
constexpr int kKillsAfterTheLastSubmit = 4;
constexpr int kClients = 12;
constexpr int kSucceeded = 4;

class CrashRecovery : public testing::Test {
 protected:
  CrashRecovery() : random_(test_seed()) {
    std::printf("ZOKIO_TEST_SEED=%llu\n", static_cast<unsigned long long>(test_seed()));
    daemon_.options().arguments = {"--set", "jobs.retain_finished=100000",
                                   "--set", "jobs.concurrency=16",
                                   "--set", "log.level=warn"};
  }

  Work work_of(int index) const {
    const auto seed = static_cast<uint64_t>(index);
    if (index % 20 == 7)
      return {.kind = "exec",
              .argv = {"/bin/sh", "-c", "echo $ZOKIO_JOB_ID $ZOKIO_ATTEMPT >>" + runs_path()}};
    if (index % 20 == 13) return {.kind = "synthetic.file", .seed = seed, .size = 100'000};
    if (index % 5 == 1) return {.kind = "synthetic.alloc", .seed = seed, .size = 300};
    return {.kind = "synthetic.spawn", .seed = seed, .size = 40};
  }
  std::string runs_path() const { return daemon_.data_dir() + "/runs"; }

  // One client: takes the next number until none is left.
  void submit_all() {
    EngineClient client(daemon_.address());
    for (int index; (index = next_.fetch_add(1)) < kJobs;) {
      const auto accepted = client.submit(work_of(index), "r" + std::to_string(index), 120s);
      std::lock_guard lock(mutex_);
      if (!accepted) {
        ++refused_;
      } else {
        duplicates_ += accepted->duplicate;
        ids_[index].insert(accepted->id);
      }
      ++answered_;
      changed_.notify_all();
    }
  }

  // Kills when a random number of submits was answered, or, behind the last one, after a moment.
  void kill_and_restart() {
    std::vector<int> moments;
    for (int i = 0; i < kKills - kKillsAfterTheLastSubmit; ++i)
      moments.push_back(static_cast<int>(random_() % kJobs));
    std::ranges::sort(moments);
    moments.insert(moments.end(), kKillsAfterTheLastSubmit, kJobs);
    for (const int moment : moments) {
      {
        std::unique_lock lock(mutex_);
        ASSERT_TRUE(changed_.wait_for(lock, 120s, [&] { return answered_ >= moment; }));
      }
      std::this_thread::sleep_for(std::chrono::microseconds(random_() % 20'000));
      daemon_.kill();
      ASSERT_TRUE(daemon_.start()) << daemon_.log();
    }
  }

  void wait_until_all_ended() {
    EngineClient client(daemon_.address());
    const auto deadline = Clock::now() + 120s;
    while (true) {
      const auto open = client.list({1, 2, 3});
      if (open && open->empty()) return;
      ASSERT_LT(Clock::now(), deadline) << (open ? open->size() : 0) << " jobs are left";
      std::this_thread::sleep_for(20ms);
    }
  }

  int64_t query(sqlite3* db, const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr), SQLITE_OK) << sql;
    EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW) << sql;
    const int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
  }

  void check_the_file();
  void check_the_executions();

  std::mt19937_64 random_;
  DaemonProcess daemon_;
  std::atomic<int> next_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  int answered_ = 0;
  int refused_ = 0;
  int duplicates_ = 0;
  std::map<int, std::set<std::string>> ids_;
};

void CrashRecovery::check_the_file() {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open_v2((daemon_.state_dir() + "/zokio.db").c_str(), &db, SQLITE_OPEN_READWRITE,
                            nullptr),
            SQLITE_OK);
  EXPECT_EQ(query(db, "SELECT count(*) FROM jobs"), kJobs);
  EXPECT_EQ(query(db, "SELECT count(DISTINCT request_id) FROM jobs"), kJobs);
  EXPECT_EQ(query(db, "SELECT count(*) FROM jobs WHERE state != 4"), 0);
  // One success for each job, of its last attempt; every attempt has one result.
  EXPECT_EQ(query(db, "SELECT count(*) FROM results WHERE outcome = 1"), kJobs);
  EXPECT_EQ(query(db,
                  "SELECT count(*) FROM results r JOIN jobs j ON j.id = r.job_id "
                  "WHERE r.outcome = 1 AND r.attempt = j.attempt"),
            kJobs);
  EXPECT_EQ(query(db, "SELECT count(*) FROM results WHERE outcome NOT IN (1, 5)"), 0);
  EXPECT_EQ(query(db,
                  "SELECT count(*) FROM (SELECT 1 FROM results GROUP BY job_id, attempt "
                  "HAVING count(*) > 1)"),
            0);
  EXPECT_EQ(query(db,
                  "SELECT count(*) FROM attempts a LEFT JOIN results r "
                  "ON r.job_id = a.job_id AND r.attempt = a.attempt WHERE r.job_id IS NULL"),
            0);
  EXPECT_EQ(query(db,
                  "SELECT count(*) FROM jobs j WHERE j.attempt != "
                  "(SELECT count(*) FROM attempts a WHERE a.job_id = j.id)"),
            0);
  EXPECT_EQ(query(db, "SELECT sum(interruptions) FROM jobs"),
            query(db, "SELECT count(*) FROM results WHERE outcome = 5"));
  EXPECT_EQ(query(db, "SELECT sum(failures) FROM jobs"), 0);
  std::printf("%lld attempts were interrupted\n",
              static_cast<long long>(query(db, "SELECT count(*) FROM results WHERE outcome = 5")));
  sqlite3_close(db);
}

void CrashRecovery::check_the_executions() {
  std::ifstream in(runs_path());
  std::map<std::string, int> runs;
  std::set<std::string> jobs;
  std::string id, attempt;
  while (in >> id >> attempt) {
    ++runs[id + " " + attempt];
    jobs.insert(id);
  }
  EXPECT_EQ(jobs.size(), static_cast<size_t>(kJobs / 20));  // every command ran
  for (const auto& [run, times] : runs) EXPECT_EQ(times, 1) << run << " was executed again";
}

TEST_F(CrashRecovery, NothingAcknowledgedIsLostOrDoneTwice) {
  const auto begun = Clock::now();
  ASSERT_TRUE(daemon_.start()) << daemon_.log();
  std::vector<std::jthread> clients;
  for (int i = 0; i < kClients; ++i) clients.emplace_back([this] { submit_all(); });
  kill_and_restart();
  if (HasFatalFailure()) next_ = kJobs;
  clients.clear();
  if (HasFatalFailure()) return;
  wait_until_all_ended();
  if (HasFatalFailure()) return;

  EXPECT_EQ(refused_, 0);
  ASSERT_EQ(ids_.size(), static_cast<size_t>(kJobs));
  EngineClient client(daemon_.address());
  const auto listed = client.list();
  ASSERT_TRUE(listed);
  std::map<std::string, const JobView*> by_id;
  for (const JobView& job : *listed) EXPECT_TRUE(by_id.emplace(job.id, &job).second) << job.id;
  EXPECT_EQ(by_id.size(), static_cast<size_t>(kJobs));
  for (const auto& [index, ids] : ids_) {
    ASSERT_EQ(ids.size(), 1u) << "request " << index << " became several jobs";
    const auto it = by_id.find(*ids.begin());
    ASSERT_NE(it, by_id.end()) << "acknowledged and lost: " << *ids.begin();
    EXPECT_EQ(it->second->state, kSucceeded) << it->second->error;
    EXPECT_EQ(it->second->request_id, "r" + std::to_string(index));
  }
  EXPECT_EQ(daemon_.stop(), 0) << daemon_.log();
  check_the_file();
  check_the_executions();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun);
  std::printf("%d jobs, %d kills, %d answers replayed, %lld ms\n", kJobs, kKills, duplicates_,
              static_cast<long long>(took.count()));
}

}  // namespace
}  // namespace zokio::test
