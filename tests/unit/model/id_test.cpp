// SPDX-License-Identifier: Apache-2.0
#include "model/id.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

namespace zokiod::model {
namespace {

TEST(JobId, TextRoundTripsAndSortsLikeTheBytes) {
  JobIdSource source;
  JobId before;
  for (int i = 0; i < 1000; ++i) {
    const JobId id = source.next();
    const std::string text = id.to_string();
    ASSERT_EQ(text.size(), JobId::kTextSize);
    ASSERT_EQ(JobId::parse(text), id);
    ASSERT_LT(before, id);
    ASSERT_LT(before.to_string(), text);
    before = id;
  }
}

TEST(JobId, KnownTextOfKnownBytes) {
  // The example of the ULID specification: the time part "01ARZ3NDEK" is 1469922850259 ms.
  const auto id = JobId::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->unix_ms(), 1469922850259);
  EXPECT_EQ(id->to_string(), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  EXPECT_EQ(JobId::parse("01arz3ndektsv4rrffq69g5fav"), id);
}

TEST(JobId, RefusesWhatIsNotAnId) {
  for (const char* text : {"", "0", "01ARZ3NDEKTSV4RRFFQ69G5FA", "01ARZ3NDEKTSV4RRFFQ69G5FAVV",
                           "81ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAU",
                           "01ARZ3NDEKTSV4RRFFQ69G5FA ", "../../etc/passwd/xxxxxxxxxx"})
    EXPECT_FALSE(JobId::parse(text)) << text;
}

TEST(JobIdSource, ThreadsNeverGetTheSameId) {
  JobIdSource source;
  std::vector<std::vector<JobId>> got(4);
  {
    std::vector<std::jthread> threads;
    for (auto& ids : got)
      threads.emplace_back([&source, &ids] {
        for (int i = 0; i < 5000; ++i) ids.push_back(source.next());
      });
  }
  std::set<JobId> all;
  for (const auto& ids : got) {
    for (size_t i = 1; i < ids.size(); ++i) ASSERT_LT(ids[i - 1], ids[i]);
    all.insert(ids.begin(), ids.end());
  }
  EXPECT_EQ(all.size(), 20000u);
}

TEST(JobIdSource, GoesOnAfterTheGreatestIdFoundEvenIfTheClockIsBehind) {
  JobId far;
  far.bytes.fill(0xff);
  far.bytes[0] = 0x7f;
  far.bytes[15] = 0;
  JobIdSource source(far);
  EXPECT_LT(far, source.next());
}

}  // namespace
}  // namespace zokiod::model
