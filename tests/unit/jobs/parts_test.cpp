// SPDX-License-Identifier: Apache-2.0
// The engine's parts that are plain values: queue, backoff, output.
#include <gtest/gtest.h>

#include <set>

#include "jobs/output.h"
#include "jobs/queue.h"
#include "jobs/retry.h"

namespace zokiod::jobs {
namespace {

using namespace std::chrono_literals;
using model::WallTime;

TEST(Queue, PriorityThenArrival) {
  model::JobIdSource ids;
  JobQueue queue;
  std::vector<JobId> made;
  std::vector<JobQueue::Place> places;
  for (const int priority : {0, 10, -10, 10, 0}) {
    made.push_back(ids.next());
    places.push_back(queue.push(made.back(), priority, {static_cast<int64_t>(made.size())}));
  }
  EXPECT_EQ(queue.oldest().unix_ns, 1);
  EXPECT_TRUE(queue.erase(places[0]));
  EXPECT_FALSE(queue.erase(places[0]));
  EXPECT_EQ(queue.oldest().unix_ns, 2);
  EXPECT_EQ(queue.pop(), made[1]);
  queue.restore(places[1], made[1], {2});
  EXPECT_EQ(queue.pop(), made[1]);  // where it was: before its equal that came later
  EXPECT_EQ(queue.pop(), made[3]);
  EXPECT_EQ(queue.pop(), made[4]);
  EXPECT_EQ(queue.oldest().unix_ns, 3);
  EXPECT_EQ(queue.pop(), made[2]);
  EXPECT_FALSE(queue.pop());
  EXPECT_FALSE(queue.oldest().is_set());
}

TEST(Retry, CountsAndDoubles) {
  EXPECT_FALSE(may_retry({}, 1));
  EXPECT_FALSE(may_retry({.attempts_max = 0}, 1));
  EXPECT_TRUE(may_retry({.attempts_max = 3}, 2));
  EXPECT_FALSE(may_retry({.attempts_max = 3}, 3));
  EXPECT_EQ(backoff({}, 1), 1s);
  EXPECT_EQ(backoff({}, 2), 2s);
  EXPECT_EQ(backoff({}, 9), 256s);
  EXPECT_EQ(backoff({}, 10), 5min);
  EXPECT_EQ(backoff({}, 4'000'000'000), 5min);
  const model::RetryPolicy policy{5, 100ms, 250ms};
  EXPECT_EQ(backoff(policy, 1), 100ms);
  EXPECT_EQ(backoff(policy, 2), 200ms);
  EXPECT_EQ(backoff(policy, 3), 250ms);
  EXPECT_EQ(backoff({5, 10s, 1s}, 1), 1s);
  EXPECT_EQ(
      backoff({5, zokio::Duration(INT64_MAX / 2 + 1), zokio::Duration(INT64_MAX)}, 100).count(),
      INT64_MAX);
}

TEST(Retry, WaitOfAJobIsALittleLessAndDiffersBetweenJobs) {
  model::JobIdSource ids;
  std::set<int64_t> waits;
  for (int i = 0; i < 100; ++i) {
    model::Job job;
    job.id = ids.next();
    job.failures = 3;
    const auto wait = backoff_of(job);
    EXPECT_EQ(wait, backoff_of(job));
    EXPECT_LE(wait, 4s);
    EXPECT_GE(wait, 3500ms);
    waits.insert(wait.count());
  }
  EXPECT_GT(waits.size(), 20u);
}

TEST(Output, ChunksOfWhatIsKept) {
  const LogChunk whole = cut_chunk("hello", 0, 0, 1, true);
  EXPECT_EQ(whole.data, "hello");
  EXPECT_TRUE(whole.end);
  EXPECT_EQ(whole.next_offset, 5u);
  const LogChunk rest = cut_chunk("hello", 10, 12, 1, true);
  EXPECT_EQ(rest.data, "llo");
  EXPECT_EQ(rest.dropped_bytes, 0u);
  const LogChunk gap = cut_chunk("hello", 10, 3, 1, false);
  EXPECT_EQ(gap.dropped_bytes, 7u);
  EXPECT_EQ(gap.offset, 10u);
  EXPECT_FALSE(gap.end);
  const LogChunk past = cut_chunk("hello", 0, 99, 1, true);
  EXPECT_EQ(past.offset, 5u);
  EXPECT_TRUE(past.data.empty() && past.end);
  EXPECT_TRUE(cut_chunk("", 0, 0, 1, true).end);
}

TEST(Output, KeepsItsEnd) {
  OutputBuffer output(10);
  output.append("0123456789");
  output.append("abcde");
  EXPECT_EQ(output.kept(), "56789abcde");
  EXPECT_EQ(output.dropped(), 5u);
  output.append(std::string(100, 'x'));
  EXPECT_EQ(output.kept(), std::string(10, 'x'));
  EXPECT_EQ(output.dropped(), 105u);
  OutputBuffer none(0);
  none.append("x");
  EXPECT_EQ(none.kept(), "");
  EXPECT_EQ(none.dropped(), 1u);
}

}  // namespace
}  // namespace zokiod::jobs
