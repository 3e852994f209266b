// SPDX-License-Identifier: Apache-2.0
#include "config/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace zokiod::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Diff, NothingChanged) {
  EXPECT_THAT(diff(Config{}, Config{}).changes, IsEmpty());
}

TEST(Diff, NamesWhatChangedFromAndTo) {
  Config to;
  to.workers = 4;
  to.log.level = "debug";
  const Diff d = diff(Config{}, to);
  ASSERT_EQ(d.changes.size(), 2u);
  EXPECT_EQ(d.changes[0].key, "workers");
  EXPECT_EQ(d.changes[0].from, "0");
  EXPECT_EQ(d.changes[0].to, "4");
  EXPECT_TRUE(d.has("log.level"));
  EXPECT_FALSE(d.has("reactors"));
  EXPECT_THAT(d.restart_keys(), IsEmpty());
}

TEST(Diff, RestartKeysAreNamed) {
  Config to;
  to.state_dir = "/elsewhere";
  to.io.backend = "epoll";
  to.jobs.concurrency = 9;
  EXPECT_THAT(diff(Config{}, to).restart_keys(), ElementsAre("state_dir", "io.backend"));
}

TEST(Diff, WhatTheDaemonCanChangeLiveIsLive) {
  for (const char* key :
       {"workers", "reactors", "pools.frames_limit", "pools.buffers_limit", "pools.heap_limit",
        "memory_limit", "pools.buffers_thread_cache", "pools.heap_central_cache",
        "pools.buffers_when_full", "pools.decay", "pools.huge_pages",
        "jobs.concurrency", "jobs.queue_limit", "policy.roots", "policy.exec.enabled",
        "policy.allowed_uids", "log.level"})
    EXPECT_EQ(find_field(key)->takes, Takes::Live) << key;
  for (const char* key :
       {"state_dir", "autosize", "io.backend", "rpc.runtime_dir", "http.address"})
    EXPECT_EQ(find_field(key)->takes, Takes::Restart) << key;
}

}  // namespace
}  // namespace zokiod::config
