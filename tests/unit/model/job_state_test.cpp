// SPDX-License-Identifier: Apache-2.0
#include "model/job_state.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>

namespace zokiod::model {
namespace {

using S = JobState;
using T = Trigger;

// Every arrow of the picture in job_state.h; what is not here must be refused.
const std::map<std::pair<S, T>, S> kArrows = {
    {{S::Queued, T::Start}, S::Running},      {{S::Queued, T::Cancel}, S::Cancelled},
    {{S::Running, T::Succeed}, S::Succeeded}, {{S::Running, T::Fail}, S::Failed},
    {{S::Running, T::Retry}, S::Retrying},    {{S::Running, T::TimeOut}, S::TimedOut},
    {{S::Running, T::Cancel}, S::Cancelled},  {{S::Running, T::Interrupt}, S::Queued},
    {{S::Retrying, T::Due}, S::Queued},       {{S::Retrying, T::Cancel}, S::Cancelled},
    {{S::Waiting, T::Ready}, S::Queued},      {{S::Waiting, T::Cancel}, S::Cancelled},
    {{S::Waiting, T::Expire}, S::TimedOut},   {{S::Queued, T::Expire}, S::TimedOut},
    {{S::Retrying, T::Expire}, S::TimedOut},  {{S::Failed, T::Requeue}, S::Queued},
    {{S::Cancelled, T::Requeue}, S::Queued},  {{S::TimedOut, T::Requeue}, S::Queued},
};

TEST(JobState, TableHasExactlyTheArrows) {
  for (const S from : kJobStates) {
    for (const T trigger : kTriggers) {
      const auto arrow = kArrows.find({from, trigger});
      const auto to = next_state(from, trigger);
      ASSERT_EQ(to.has_value(), arrow != kArrows.end())
          << to_string(from) << " " << to_string(trigger);
      if (to) EXPECT_EQ(*to, arrow->second);
    }
  }
}

TEST(JobState, TransitionMovesTheCellOrLeavesIt) {
  for (const S from : kJobStates) {
    for (const T trigger : kTriggers) {
      StateCell cell = StateCell::restored(from);
      const auto moved = transition(cell, trigger);
      const auto arrow = kArrows.find({from, trigger});
      if (arrow == kArrows.end()) {
        ASSERT_FALSE(moved);
        EXPECT_EQ(moved.error().code, zokio::Errc::FailedPrecondition);
        EXPECT_EQ(cell, from);
      } else {
        ASSERT_TRUE(moved);
        EXPECT_EQ(cell, arrow->second);
      }
    }
  }
}

TEST(JobState, OnlyAClientsWishLeadsOutOfAnEndAndNothingOutOfSuccess) {
  for (const S from : kJobStates)
    if (is_terminal(from))
      for (const T trigger : kTriggers)
        if (from == S::Succeeded || trigger != T::Requeue) EXPECT_FALSE(next_state(from, trigger));
}

TEST(JobState, EveryStateIsWaitingOrRunningOrTerminal) {
  for (const S state : kJobStates)
    EXPECT_EQ(is_waiting(state) + is_terminal(state) + (state == S::Running), 1);
}

// The table of daemon/docs/job_states.md has every arrow and no other.
TEST(JobState, TheDocumentHasTheSameArrows) {
  std::ifstream in(std::string(ZOKIO_SOURCE_DIR) + "/daemon/docs/job_states.md");
  ASSERT_TRUE(in.good());
  const std::regex row(R"(^\| (\w+) \| (\w+) \| (\w+) \|.*$)");
  std::set<std::string> documented;
  std::smatch match;
  for (std::string line; std::getline(in, line);)
    if (std::regex_match(line, match, row) && match[1] != "from")
      documented.insert(match[1].str() + " " + match[2].str() + " " + match[3].str());
  std::set<std::string> arrows;
  for (const S from : kJobStates)
    for (const T trigger : kTriggers)
      if (const auto to = next_state(from, trigger))
        arrows.insert(std::string(to_string(from)) + " " + std::string(to_string(trigger)) + " " +
                      std::string(to_string(*to)));
  EXPECT_EQ(documented, arrows);
}

TEST(JobState, EveryStateIsReachableAndEveryStateReachesAnEnd) {
  std::set<S> seen{S::Waiting};
  for (size_t round = 0; round < kJobStates.size(); ++round)
    for (const S from : std::set<S>(seen))
      for (const T trigger : kTriggers)
        if (const auto to = next_state(from, trigger)) seen.insert(*to);
  EXPECT_EQ(seen.size(), kJobStates.size());
}

TEST(JobState, NamesRoundTrip) {
  for (const S state : kJobStates) EXPECT_EQ(parse_job_state(to_string(state)), state);
  EXPECT_FALSE(parse_job_state("Queued"));
  EXPECT_FALSE(parse_job_state(""));
}

TEST(JobState, NumbersOnDiskStayAsTheyAre) {
  EXPECT_EQ(static_cast<int>(S::Queued), 1);
  EXPECT_EQ(static_cast<int>(S::Running), 2);
  EXPECT_EQ(static_cast<int>(S::Retrying), 3);
  EXPECT_EQ(static_cast<int>(S::Succeeded), 4);
  EXPECT_EQ(static_cast<int>(S::Failed), 5);
  EXPECT_EQ(static_cast<int>(S::Cancelled), 6);
  EXPECT_EQ(static_cast<int>(S::TimedOut), 7);
  EXPECT_EQ(static_cast<int>(S::Waiting), 8);
  EXPECT_EQ(static_cast<int>(Outcome::Interrupted), 5);
}

}  // namespace
}  // namespace zokiod::model
