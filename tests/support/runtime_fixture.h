// SPDX-License-Identifier: Apache-2.0
#pragma once

// A runtime for each case, over worker counts and both backends; afterwards every task must have
// ended and every frame and descriptor must be back.

#include <dirent.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "zokio/mem/pools.h"
#include "zokio/zokio.h"

namespace zokio::test {

inline unsigned entries_of(const char* path) {
  unsigned count = 0;
  DIR* dir = opendir(path);
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
}
inline unsigned open_fds() {
  return entries_of("/proc/self/fd");
}
inline unsigned open_threads() {
  return entries_of("/proc/self/task");
}

// Waits for `condition` without a fixed sleep: a loaded machine gets the time it needs.
template <class Condition>
bool eventually(Condition condition, Duration limit = std::chrono::seconds(30)) {
  const Instant deadline = Instant::now() + limit;
  while (!condition()) {
    if (Instant::now() >= deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

struct RuntimeParam {
  unsigned workers;
  Backend backend;
};

inline std::string param_name(const testing::TestParamInfo<RuntimeParam>& info) {
  return std::to_string(info.param.workers) +
         (info.param.backend == Backend::Uring ? "_uring" : "_epoll");
}

class RuntimeTest : public testing::TestWithParam<RuntimeParam> {
 protected:
  void SetUp() override {
    fds_before_ = open_fds();
    frames_before_ = mem::snapshot(mem::PoolId::Frames).objects_in_use;
    RuntimeOptions options;
    options.workers = GetParam().workers;
    options.reactors = GetParam().workers < 2 ? 1 : 2;
    options.backend = GetParam().backend;
    auto created = Runtime::create(std::move(options));
    if (!created.has_value() && GetParam().backend == Backend::Uring)
      GTEST_SKIP() << "no io_uring here: " << created.error().to_string();
    ASSERT_TRUE(created.has_value()) << created.error().to_string();
    runtime_ = *std::move(created);
  }

  void TearDown() override {
    if (!runtime_) return;
    EXPECT_TRUE(runtime_->shutdown(std::chrono::seconds(60)));
    const SchedulerSnapshot scheduler = runtime_->stats().scheduler;
    EXPECT_EQ(scheduler.tasks_alive, 0u);
    EXPECT_EQ(scheduler.tasks_spawned, scheduler.tasks_finished_ok +
                                           scheduler.tasks_finished_error +
                                           scheduler.tasks_finished_cancelled);
    runtime_.reset();
    EXPECT_EQ(mem::snapshot(mem::PoolId::Frames).objects_in_use, frames_before_);
    EXPECT_EQ(open_fds(), fds_before_);
  }

  std::unique_ptr<Runtime> runtime_;

 private:
  unsigned fds_before_ = 0;
  uint64_t frames_before_ = 0;
};

// Both backends; epoll alone where the test run says that io_uring is denied, so that the output of
// a failing run is not buried under skipped cases.
inline std::vector<RuntimeParam> runtime_matrix() {
  std::vector<RuntimeParam> params{{1, Backend::Epoll}, {4, Backend::Epoll}};
  if (std::getenv("ZOKIO_EXPECT_NO_URING") == nullptr)
    for (unsigned workers : {1u, 2u, 4u}) params.push_back({workers, Backend::Uring});
  return params;
}

#define ZOKIO_RUNTIME_MATRIX(Fixture)                                                           \
  INSTANTIATE_TEST_SUITE_P(Matrix, Fixture, testing::ValuesIn(::zokio::test::runtime_matrix()), \
                           ::zokio::test::param_name)

}  // namespace zokio::test
