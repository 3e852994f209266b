// SPDX-License-Identifier: Apache-2.0
//
// A runtime without threads of its own.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "runtime_fixture.h"
#include "zokio/net/tcp_listener.h"
#include "zokio/net/tcp_stream.h"
#include "zokio/sync/oneshot.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;

size_t threads_now() {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                                           std::filesystem::directory_iterator()));
}

class CurrentThreadTest : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    fds_before_ = test::open_fds();
    frames_before_ = mem::snapshot(mem::PoolId::Frames).objects_in_use;
    runtime_ = make();
    if (!runtime_) GTEST_SKIP() << "no io_uring here";
  }
  void TearDown() override {
    if (!runtime_) return;
    runtime_.reset();
    EXPECT_EQ(mem::snapshot(mem::PoolId::Frames).objects_in_use, frames_before_);
    EXPECT_EQ(test::open_fds(), fds_before_);
  }

  static std::unique_ptr<Runtime> make() {
    RuntimeOptions options;
    options.current_thread = true;
    options.backend = GetParam();
    options.seed = 1;
    auto created = Runtime::create(std::move(options));
    if (!created.has_value()) {
      EXPECT_EQ(GetParam(), Backend::Uring) << created.error().to_string();
      return nullptr;
    }
    return *std::move(created);
  }

  std::unique_ptr<Runtime> runtime_;

 private:
  unsigned fds_before_ = 0;
  uint64_t frames_before_ = 0;
};

Task<std::thread::id> where() {
  co_await yield_now();
  static_cast<void>(co_await sleep(1ms));
  co_return std::this_thread::get_id();
}

TEST_P(CurrentThreadTest, RunsOnTheCallerAndStartsNoThread) {
  const size_t before = threads_now();
  auto second = make();
  EXPECT_EQ(*second->block_on(where), std::this_thread::get_id());
  EXPECT_EQ(*second->run_until(where()), std::this_thread::get_id());
  EXPECT_EQ(threads_now(), before);
}

TEST_P(CurrentThreadTest, ValuesErrorsAndExceptionsComeOut) {
  EXPECT_EQ(*runtime_->run_until([]() -> Task<int> { co_return 4; }()), 4);
  EXPECT_TRUE(runtime_->run_until([]() -> Task<void> { co_return; }()).has_value());
  EXPECT_EQ(
      runtime_->run_until([]() -> Task<Result<int>> { co_return fail(Errc::NotFound, "no"); }())
          .error()
          .code,
      Errc::NotFound);
  EXPECT_THROW(static_cast<void>(runtime_->run_until([]() -> Task<int> {
                 co_await yield_now();
                 throw std::runtime_error("out");
               }())),
               std::runtime_error);
}

Task<void> note_twice(std::vector<int>* order, int id) {
  order->push_back(id);
  co_await yield_now();
  order->push_back(10 + id);
}

TEST_P(CurrentThreadTest, TasksRunInTheOrderTheyBecameReady) {
  std::vector<int> order;
  auto done = runtime_->block_on(
      [](std::vector<int>& seen) -> Task<void> {
        std::vector<JoinHandle<void>> tasks;
        for (int id = 0; id < 4; ++id) tasks.push_back(spawn(note_twice, &seen, id));
        seen.push_back(100);
        for (auto& task : tasks) co_await task;
      },
      order);
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(order, (std::vector<int>{100, 0, 1, 2, 3, 10, 11, 12, 13}));
}

// Two that always yield do not keep a third one from running.
TEST_P(CurrentThreadTest, YieldingTasksLetTheNewestRun) {
  auto outcome = runtime_->block_on([]() -> Task<int> {
    bool ran = false;
    struct Loop {
      static Task<int> until(bool* flag) {
        int turns = 0;
        for (; !*flag && turns < 1000; ++turns) co_await yield_now();
        co_return turns;
      }
      static Task<void> set(bool* flag) {
        *flag = true;
        co_return;
      }
    };
    auto a = spawn(&Loop::until, &ran);
    auto b = spawn(&Loop::until, &ran);
    co_await yield_now();
    auto setter = spawn(&Loop::set, &ran);
    auto first = co_await a;
    auto second = co_await b;
    co_await setter;
    co_return *first + *second;
  });
  EXPECT_LT(*outcome, 20);
}

TEST_P(CurrentThreadTest, NothingHappensBetweenTheCalls) {
  std::atomic<int> ran{0};
  auto task = runtime_->spawn(
      [](std::atomic<int>* count) -> Task<void> {
        for (int i = 0; i < 3; ++i) {
          count->fetch_add(1);
          static_cast<void>(co_await sleep(1ms));
        }
      },
      &ran);
  EXPECT_EQ(ran.load(), 0);
  // From another thread, too.
  std::thread([&] {
    runtime_
        ->spawn(
            [](std::atomic<int>* count) -> Task<void> {
              count->fetch_add(10);
              co_return;
            },
            &ran)
        .detach();
  }).join();
  EXPECT_EQ(ran.load(), 0);
  EXPECT_TRUE(
      runtime_->block_on([](JoinHandle<void>* handle) -> Task<void> { co_await *handle; }, &task)
          .has_value());
  EXPECT_EQ(ran.load(), 13);
}

TEST_P(CurrentThreadTest, OtherThreadsWakeIt) {
  for (int round = 0; round < 50; ++round) {
    auto channel = sync::oneshot<int>();
    std::thread sender([tx = std::move(channel.first)]() mutable { tx.send(7); });
    auto got = runtime_->block_on(
        [](sync::OneshotReceiver<int>* rx) -> Task<Result<int>> { co_return co_await rx->recv(); },
        &channel.second);
    sender.join();
    ASSERT_EQ(*got, 7);
  }
}

TEST_P(CurrentThreadTest, BlockingCallsHaveThreads) {
  auto outcome = runtime_->block_on([]() -> Task<Result<bool>> {
    const auto here = std::this_thread::get_id();
    auto there = co_await blocking([] { return std::this_thread::get_id(); });
    ZOKIO_CO_TRY(auto spawned, co_await spawn_blocking([] { return std::this_thread::get_id(); }));
    co_return *there != here&& spawned != here;
  });
  EXPECT_TRUE(*outcome);
}

Task<Result<void>> echo_once(net::TcpListener* listener) {
  ZOKIO_CO_TRY(net::TcpStream peer, co_await listener->accept());
  io::IoResult got = co_await peer.read(*mem::lease(64));
  ZOKIO_CO_CHECKED(got.n);
  io::IoResult sent = co_await peer.write_all(std::move(got.buffer));
  ZOKIO_CO_CHECKED(sent.n);
  ZOKIO_CO_CHECKED(co_await peer.close());
  co_return {};
}

TEST_P(CurrentThreadTest, DoesInputAndOutput) {
  auto outcome = runtime_->block_on([]() -> Task<Result<size_t>> {
    ZOKIO_CO_TRY(auto listener, net::TcpListener::bind(net::Address::loopback(0)));
    auto server = spawn(echo_once, &listener);
    ZOKIO_CO_TRY(auto client, co_await net::TcpStream::connect(*listener.local_address()));
    mem::Buffer hello = *mem::lease(5);
    std::memcpy(hello.data(), "hello", 5);
    hello.resize(5);
    io::IoResult sent = co_await client.write_all(std::move(hello));
    ZOKIO_CO_CHECKED(sent.n);
    io::IoResult back = co_await client.read(*mem::lease(64));
    ZOKIO_CO_CHECKED(co_await server);
    ZOKIO_CO_CHECKED(co_await client.close());
    ZOKIO_CO_CHECKED(co_await listener.close());
    co_return back.n;
  });
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  EXPECT_EQ(*outcome, 5u);
}

TEST_P(CurrentThreadTest, ManyTasksOverflowTheQueue) {
  auto outcome = runtime_->block_on([]() -> Task<uint64_t> {
    std::vector<JoinHandle<uint64_t>> tasks;
    for (uint64_t i = 0; i < 20'000; ++i)
      tasks.push_back(spawn(
          [](uint64_t n) -> Task<uint64_t> {
            co_await yield_now();
            co_return n;
          },
          i));
    uint64_t sum = 0;
    for (auto& task : tasks) {
      auto one = co_await task;
      sum += *one;
    }
    co_return sum;
  });
  EXPECT_EQ(*outcome, 19'999u * 10'000u);
}

TEST_P(CurrentThreadTest, IsNotResized) {
  EXPECT_EQ(runtime_->resize_workers_blocking(2).error().code, Errc::FailedPrecondition);
  EXPECT_EQ(runtime_->resize_reactors_blocking(2).error().code, Errc::FailedPrecondition);
  auto inside = runtime_->block_on(
      [](Runtime* r) -> Task<Result<ResizeReport>> { co_return co_await r->resize_workers(2); },
      runtime_.get());
  EXPECT_EQ(inside.error().code, Errc::FailedPrecondition);
  const RuntimeSnapshot stats = runtime_->stats();
  EXPECT_EQ(stats.scheduler.workers_desired, 1u);
  EXPECT_EQ(stats.scheduler.workers.size(), 1u);
  RuntimeOptions two;
  two.current_thread = true;
  two.workers = 2;
  EXPECT_EQ(Runtime::create(std::move(two)).error().code, Errc::InvalidArgument);
}

TEST_P(CurrentThreadTest, ShutdownCancelsAndAwaitsWhatIsLeft) {
  std::atomic<int> ended{0};
  for (int i = 0; i < 10; ++i)
    runtime_
        ->spawn(
            [](std::atomic<int>* count) -> Task<Result<void>> {
              auto slept = co_await sleep(1h);
              co_await yield_now();
              count->fetch_add(1);
              co_return slept;
            },
            &ended)
        .detach();
  // Half way: they sleep.
  EXPECT_TRUE(runtime_->run_until(where()).has_value());
  EXPECT_EQ(ended.load(), 0);
  EXPECT_TRUE(runtime_->shutdown(60s));
  EXPECT_EQ(ended.load(), 10);
  EXPECT_EQ(runtime_->stats().scheduler.tasks_alive, 0u);
}

INSTANTIATE_TEST_SUITE_P(Backends, CurrentThreadTest,
                         testing::Values(Backend::Epoll, Backend::Uring), [](const auto& param) {
                           return param.param == Backend::Uring ? "uring" : "epoll";
                         });

}  // namespace
}  // namespace zokio
