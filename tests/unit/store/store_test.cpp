// SPDX-License-Identifier: Apache-2.0
// The writer thread: what one commit takes, what is acknowledged, and when.
#include "store/store.h"

#include <gtest/gtest.h>

#include <future>
#include <semaphore>
#include <thread>
#include <vector>

#include "jobs.h"
#include "store/memory_journal.h"

namespace zokiod::store {
namespace {

using zokio::Errc;
using zokio::Result;

// Counts, and holds each commit until the test lets it go.
class HeldJournal final : public Journal {
 public:
  model::Reported<Recovered> load() override { return Recovered{}; }
  Result<void> begin() override {
    applied_now = 0;
    return {};
  }
  Result<void> apply(const Write& write) override {
    ++applied_now;
    if (const auto* insert = std::get_if<Insert>(&write); insert && insert->job.request_id == "bad")
      return zokio::fail(Errc::AlreadyExists, "test");
    return {};
  }
  Result<void> commit() override {
    committing.release();
    go.acquire();
    batches.push_back(applied_now);
    if (fail_next.exchange(false)) return zokio::fail_errno(ENOSPC, "test");
    return {};
  }
  void rollback() override { ++rollbacks; }
  Result<void> probe() override {
    if (!well) return zokio::fail_errno(ENOSPC, "test");
    return {};
  }
  Result<Output> read_output(JobId, uint32_t) override { return Output{"o", 0}; }
  bool durable() const override { return true; }
  uint64_t size_bytes() const override { return 42; }

  std::counting_semaphore<> committing{0}, go{0};
  std::atomic<bool> fail_next{false};
  std::atomic<bool> well{false};  // what a probe finds
  size_t applied_now = 0;
  std::vector<size_t> batches;  // read after close()
  std::atomic<int> rollbacks{0};
};

class StoreTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_.open()); }

  std::future<Result<void>> write(Write w) {
    auto promise = std::make_shared<std::promise<Result<void>>>();
    auto future = promise->get_future();
    store_.write(std::move(w), [promise](Result<void> r) { promise->set_value(r); });
    return future;
  }
  static bool ready(std::future<Result<void>>& f) {
    return f.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

  HeldJournal* journal_ = new HeldJournal;
  Store store_{std::unique_ptr<Journal>(journal_)};
};

TEST_F(StoreTest, WhatWaitsForACommitSharesTheNext) {
  auto first = write(Insert{new_job()});
  journal_->committing.acquire();  // the first commit is at the disk
  std::vector<std::future<Result<void>>> rest;
  for (int i = 0; i < 100; ++i) rest.push_back(write(Insert{new_job()}));
  EXPECT_FALSE(ready(first));
  EXPECT_EQ(store_.stats().depth, 100u);
  journal_->go.release();
  EXPECT_TRUE(first.get());
  journal_->committing.acquire();
  for (auto& f : rest) EXPECT_FALSE(ready(f));  // never before their commit
  journal_->go.release();
  for (auto& f : rest) EXPECT_TRUE(f.get());
  store_.close();
  EXPECT_EQ(journal_->batches, (std::vector<size_t>{1, 100}));
  const JournalStats stats = store_.stats();
  EXPECT_EQ(stats.commits, 2u);
  EXPECT_EQ(stats.writes, 101u);
  EXPECT_EQ(stats.append_ns.count, 101u);
  EXPECT_EQ(stats.fsync_ns.count, 2u);
}

TEST_F(StoreTest, AFailedCommitFailsEveryWriteOfItsBatchAndTheNextWorks) {
  journal_->fail_next = true;
  auto first = write(Insert{new_job()});
  journal_->committing.acquire();
  journal_->go.release();
  const auto result = first.get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().os_errno, ENOSPC);
  EXPECT_EQ(journal_->rollbacks, 1);
  EXPECT_FALSE(store_.stats().healthy);
  EXPECT_NE(store_.stats().error, "");
  auto second = write(Insert{new_job()});
  journal_->go.release();
  EXPECT_TRUE(second.get());
  EXPECT_TRUE(store_.stats().healthy);
  EXPECT_EQ(store_.stats().failures, 1u);
}

TEST_F(StoreTest, OneRefusedWriteDoesNotFailItsNeighbours) {
  auto first = write(Barrier{});
  journal_->committing.acquire();
  auto good = write(Insert{new_job()});
  auto bad = write(Insert{new_job("bad")});
  auto good2 = write(Insert{new_job()});
  journal_->go.release(2);
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(good.get());
  EXPECT_EQ(bad.get().error().code, Errc::AlreadyExists);
  EXPECT_TRUE(good2.get());
}

TEST_F(StoreTest, CloseCommitsWhatWaitsAndRefusesWhatComes) {
  auto first = write(Insert{new_job()});
  auto second = write(Insert{new_job()});
  journal_->go.release(2);
  store_.close();
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(second.get());
  auto late = write(Insert{new_job()});
  const auto result = late.get();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().detail, zokio::Detail::Shutdown);
}

TEST_F(StoreTest, AnIdleWriterShowsThatItLives) {
  const int64_t before = store_.stats().heartbeat_ns;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (store_.stats().heartbeat_ns == before && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_GT(store_.stats().heartbeat_ns, before);
}

TEST(Store, ManyThreadsEveryWriteIsAnswered) {
  Store store(make_memory_journal());
  ASSERT_TRUE(store.open());
  std::atomic<int> answered{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 2000; ++i)
          store.write(Insert{new_job()}, [&](Result<void> r) { answered += r.has_value(); });
      });
  }
  store.close();
  EXPECT_EQ(answered, 8000);
  EXPECT_EQ(store.stats().writes, 8000u);
}

// Nobody writes: a client that looks at readiness would wait for ever otherwise.
TEST_F(StoreTest, AStoreThatFailedIsTriedAgainByItself) {
  journal_->fail_next = true;
  journal_->go.release(1);
  ASSERT_FALSE(write(Barrier{}).get());
  EXPECT_FALSE(store_.stats().healthy);
  EXPECT_FALSE(store_.stats().error.empty());
  journal_->well = true;
  while (!store_.stats().healthy) std::this_thread::yield();
  EXPECT_TRUE(store_.stats().error.empty());
}

}  // namespace
}  // namespace zokiod::store
