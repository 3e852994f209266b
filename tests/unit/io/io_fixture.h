// SPDX-License-Identifier: Apache-2.0
#pragma once

// A driver and an executor that the test itself turns: tasks run only in run_ready(), reactors only
// in their turns, so a test decides in which order things happen.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "io/driver.h"
#include "runtime_fixture.h"
#include "zokio/os/fd.h"
#include "zokio/spawn.h"
#include "zokio/task/executor.h"

namespace zokio::io {

class FakeExecutor final : public task::Executor {
 public:
  FakeExecutor() : group_(task::acquire_group(this)), blocking_([this] { run_blocking(); }) {}
  ~FakeExecutor() {
    task::release_group(group_);
    {
      std::scoped_lock lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    blocking_.join();
  }

  void schedule(task::Header* task) noexcept override {
    std::scoped_lock lock(mutex_);
    ready_.push_back(task);
  }
  bool offload(task::OffloadJob* job) noexcept override {
    std::scoped_lock lock(mutex_);
    jobs_.push_back(job);
    changed_.notify_all();
    return true;
  }
  void adopt(task::Header* task, const char*) noexcept override {
    task->slot = 0;
    task->group = group_;
    ++alive_;
  }
  void finished(task::Header*, task::Ending) noexcept override { --alive_; }
  uint64_t id_of(const task::Header*) const noexcept override { return 0; }

  // Resumes what is ready, also what becomes ready meanwhile. Returns how many.
  unsigned run_ready() {
    unsigned count = 0;
    for (;;) {
      task::Header* task = nullptr;
      {
        std::scoped_lock lock(mutex_);
        if (ready_.empty()) return count;
        task = ready_.front();
        ready_.pop_front();
      }
      task::context().current = task;
      task->resume_point.resume();
      task::context().current = nullptr;
      ++count;
    }
  }
  int alive() const { return alive_.load(); }

 private:
  void run_blocking() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      task::OffloadJob* job = jobs_.front();
      jobs_.pop_front();
      lock.unlock();
      job->run(job);
      lock.lock();
    }
  }

  const uint16_t group_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<task::Header*> ready_;
  std::deque<task::OffloadJob*> jobs_;
  bool stop_ = false;
  std::atomic<int> alive_{0};
  std::thread blocking_;
};

struct Pipe {
  os::Fd read;
  os::Fd write;

  Pipe() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    read = os::Fd(ends[0]);
    write = os::Fd(ends[1]);
  }
  void put(char byte) const { EXPECT_EQ(::write(write.get(), &byte, 1), 1); }
};

class IoTest : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    fds_before_ = test::open_fds();
    executor_ = std::make_unique<FakeExecutor>();
    auto driver = Driver::create({.backend = GetParam(), .ring_entries = 64});
    if (!driver.has_value() && GetParam() == Backend::Uring) {
      GTEST_SKIP() << "no io_uring here: " << driver.error().to_string();
    }
    ASSERT_TRUE(driver.has_value()) << driver.error().to_string();
    driver_ = *std::move(driver);
    task::context().executor = executor_.get();
    task::context().driver = driver_.get();
  }

  void TearDown() override {
    if (driver_ && reactor_ != nullptr) close_here();
    EXPECT_EQ(executor_->alive(), 0);
    task::context().driver = nullptr;
    task::context().executor = nullptr;
    driver_.reset();
    executor_.reset();
    EXPECT_EQ(test::open_fds(), fds_before_);
  }

  // This thread hosts the reactor of `slot` from here on.
  void open_here(unsigned slot = 0) {
    auto reactor = driver_->open_reactor(slot, "test");
    ASSERT_TRUE(reactor.has_value()) << reactor.error().to_string();
    reactor_ = *reactor;
    task::context().reactor = reactor_;
  }

  // Retires and closes it; what waited goes elsewhere.
  void close_here() {
    ASSERT_TRUE(driver_->retire(reactor_->slot()));
    const Instant deadline = Instant::now() + std::chrono::seconds(60);
    while (!reactor_->drained() && Instant::now() < deadline) reactor_->turn(deadline);
    ASSERT_TRUE(reactor_->drained());
    task::context().reactor = nullptr;
    driver_->close_reactor(*reactor_);
    reactor_ = nullptr;
  }

  template <class F, class... A>
  auto start(F f, A... args) {
    auto handle = internal::spawn_on(*executor_, "test", std::move(f), std::move(args)...);
    executor_->run_ready();
    return handle;
  }

  // Turns this thread's reactor until all tasks have ended.
  bool finish_all(Duration limit = std::chrono::seconds(60)) {
    const Instant deadline = Instant::now() + limit;
    while (executor_->alive() > 0 && Instant::now() < deadline) {
      executor_->run_ready();
      if (executor_->alive() == 0) break;
      if (reactor_ != nullptr)
        reactor_->turn(Instant::now() + std::chrono::milliseconds(1));
      else
        std::this_thread::yield();
    }
    return executor_->alive() == 0;
  }

  std::unique_ptr<FakeExecutor> executor_;
  std::unique_ptr<Driver> driver_;
  Reactor* reactor_ = nullptr;

 private:
  unsigned fds_before_ = 0;
};

#define ZOKIO_BACKENDS(Fixture)                                                                \
  INSTANTIATE_TEST_SUITE_P(Backends, Fixture,                                                  \
                           testing::Values(::zokio::Backend::Uring, ::zokio::Backend::Epoll),  \
                           [](const testing::TestParamInfo<::zokio::Backend>& info) {          \
                             return info.param == ::zokio::Backend::Uring ? "uring" : "epoll"; \
                           })

}  // namespace zokio::io
