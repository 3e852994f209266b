// SPDX-License-Identifier: Apache-2.0
//
// A result that the store refuses, because the attempt is no longer the current one, changes
// nothing in the engine either.

#include "engine_fixture.h"

namespace zokiod::jobs {
namespace {

// Refuses every result as the journal refuses one of an attempt that is over.
class FencingJournal final : public store::Journal {
 public:
  model::Reported<store::Recovered> load() override { return inner_->load(); }
  zokio::Result<void> begin() override { return inner_->begin(); }
  zokio::Result<void> apply(const store::Write& write) override {
    if (std::holds_alternative<store::FinishAttempt>(write))
      return zokio::fail(Errc::Aborted, "fenced");
    return inner_->apply(write);
  }
  zokio::Result<void> commit() override { return inner_->commit(); }
  void rollback() override {}
  zokio::Result<store::Output> read_output(JobId id, uint32_t attempt) override {
    return inner_->read_output(id, attempt);
  }
  bool durable() const override { return true; }
  uint64_t size_bytes() const override { return 0; }

 private:
  std::unique_ptr<store::Journal> inner_ = store::make_memory_journal();
};

TEST_F(EngineTest, FencedResultLeavesTheJobAsTheStoreHasIt) {
  stop();
  start(std::make_unique<FencingJournal>());
  const JobId id = must_submit(quick());
  ASSERT_TRUE(zokio::test::eventually(
      [&] { return engine_->stats().journal.fenced == 1 && engine_->stats().running == 0; }));
  EXPECT_EQ(engine_->get(id)->state, JobState::Running);
}

TEST_F(EngineTest, CancelOfAJobWithAFencedResultIsAnswered) {
  stop();
  start(std::make_unique<FencingJournal>());
  const JobId id = must_submit(quick());
  ASSERT_TRUE(zokio::test::eventually([&] { return engine_->stats().journal.fenced == 1; }));
  const auto cancelled = cancel(id);
  ASSERT_FALSE(cancelled.has_value());
  EXPECT_EQ(cancelled.error().reason, "JOURNAL_UNAVAILABLE");
}

}  // namespace
}  // namespace zokiod::jobs
