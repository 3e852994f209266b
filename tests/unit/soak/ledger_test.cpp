// SPDX-License-Identifier: Apache-2.0

#include "soak/ledger.h"

#include <gtest/gtest.h>

#include <thread>

namespace zokiod::soak {
namespace {

using model::JobId;
using model::JobState;

class LedgerTest : public testing::Test {
 protected:
  Ledger ledger_;
  model::JobIdSource ids_;
};

TEST_F(LedgerTest, JobThatEndsOnceIsInOrder) {
  const JobId id = ids_.next();
  ledger_.offered();
  EXPECT_FALSE(ledger_.acknowledged(id, 1'000));
  EXPECT_EQ(ledger_.outstanding_count(), 1u);
  EXPECT_TRUE(ledger_.ended(id, JobState::Succeeded, 5'000));
  const Accounting books = ledger_.accounting();
  EXPECT_EQ(books.acknowledged, 1u);
  EXPECT_EQ(books.succeeded, 1u);
  EXPECT_EQ(books.outstanding, 0u);
  EXPECT_EQ(books.duplicates, 0u);
  EXPECT_EQ(ledger_.latency().sum, 4'000u);
}

TEST_F(LedgerTest, EventMayOvertakeTheAnswer) {
  const JobId id = ids_.next();
  EXPECT_FALSE(ledger_.ended(id, JobState::Succeeded, 5'000)) << "not known to be ours yet";
  EXPECT_TRUE(ledger_.acknowledged(id, 1'000)) << "ended already: look at its result";
  const Accounting books = ledger_.accounting();
  EXPECT_EQ(books.succeeded, 1u);
  EXPECT_EQ(books.outstanding, 0u);
}

TEST_F(LedgerTest, SecondEndIsADuplicate) {
  const JobId id = ids_.next();
  ledger_.acknowledged(id, 0);
  ledger_.ended(id, JobState::Succeeded, 1);
  EXPECT_FALSE(ledger_.ended(id, JobState::Succeeded, 2));
  EXPECT_EQ(ledger_.accounting().duplicates, 1u);
  EXPECT_EQ(ledger_.accounting().succeeded, 1u);
  EXPECT_EQ(ledger_.accounting().examples.size(), 1u);
}

TEST_F(LedgerTest, EveryOtherEndCountsAsFailed) {
  for (const JobState state : {JobState::Failed, JobState::Cancelled, JobState::TimedOut}) {
    const JobId id = ids_.next();
    ledger_.acknowledged(id, 0);
    EXPECT_TRUE(ledger_.ended(id, state, 1));
  }
  EXPECT_EQ(ledger_.accounting().failed, 3u);
}

TEST_F(LedgerTest, JobsOfOthersLeaveNoTrace) {
  for (int i = 0; i < 100'000; ++i) ledger_.ended(ids_.next(), JobState::Failed, i);
  const Accounting books = ledger_.accounting();
  EXPECT_EQ(books.failed + books.succeeded + books.duplicates + books.outstanding, 0u);
}

TEST_F(LedgerTest, EqualSpecsMustGiveEqualChecksums) {
  ledger_.result(ids_.next(), "synthetic.spawn/1", "aa");
  ledger_.result(ids_.next(), "synthetic.spawn/1", "aa");
  ledger_.result(ids_.next(), "synthetic.spawn/2", "bb");
  EXPECT_EQ(ledger_.accounting().mismatches, 0u);
  ledger_.result(ids_.next(), "synthetic.spawn/1", "bb");
  EXPECT_EQ(ledger_.accounting().mismatches, 1u);
}

TEST_F(LedgerTest, LostJobLeavesTheOpenOnes) {
  const JobId id = ids_.next();
  ledger_.acknowledged(id, 0);
  ledger_.lost(id, "the engine does not know it");
  EXPECT_EQ(ledger_.accounting().lost, 1u);
  EXPECT_TRUE(ledger_.outstanding().empty());
}

TEST_F(LedgerTest, BooksBalanceWithManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kJobs = 5'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this] {
      model::JobIdSource ids;
      for (int i = 0; i < kJobs; ++i) {
        const JobId id = ids.next();
        ledger_.offered();
        ledger_.acknowledged(id, i);
        ledger_.ended(id, JobState::Succeeded, i + 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const Accounting books = ledger_.accounting();
  EXPECT_EQ(books.acknowledged, static_cast<uint64_t>(kThreads) * kJobs);
  EXPECT_EQ(books.succeeded, books.acknowledged);
  EXPECT_EQ(books.outstanding + books.duplicates + books.failed, 0u);
}

}  // namespace
}  // namespace zokiod::soak
