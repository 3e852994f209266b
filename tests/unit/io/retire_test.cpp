// SPDX-License-Identifier: Apache-2.0

// Reactors that go while operations wait in them, and operations that find no reactor.

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "io/ops/read.h"
#include "io/ops/write.h"
#include "io_fixture.h"
#include "temp_dir.h"

namespace zokio::io {
namespace {

using RetireTest = IoTest;
using std::chrono::milliseconds;

struct Count {
  std::atomic<uint64_t> bytes{0};
  std::atomic<uint64_t> cancelled{0};
  std::atomic<uint64_t> errors{0};
};

Task<void> read_one(int fd, Count* count) {
  ReadOp op(fd, *mem::lease(1), kNoOffset);
  co_await op;
  if (op.result() > 0)
    count->bytes += static_cast<uint64_t>(op.result());
  else if (op.result() == -ECANCELED)
    ++count->cancelled;
  else
    ++count->errors;
  IoResult done = op.take();
  if (!done.buffer) ++count->errors;
}

// A reactor on a thread of its own.
class Dedicated {
 public:
  Dedicated(Driver& driver, unsigned slot) : driver_(driver), slot_(slot) {
    thread_ = std::thread([this] {
      auto reactor = driver_.open_reactor(slot_, "thread");
      EXPECT_TRUE(reactor.has_value());
      if (reactor.has_value()) driver_.run_dedicated(**reactor);
    });
    EXPECT_TRUE(test::eventually([&] { return (driver.active() >> slot & 1) != 0; }));
  }
  ~Dedicated() {
    EXPECT_TRUE(driver_.retire(slot_));
    thread_.join();
  }

 private:
  Driver& driver_;
  unsigned slot_;
  std::thread thread_;
};

TEST_P(RetireTest, OperationsWaitWhileNoReactorIsActive) {
  Pipe pipe;
  Count count;
  auto waits = start(read_one, pipe.read.get(), &count);
  auto cancelled = start(read_one, pipe.read.get(), &count);
  cancelled.cancel();
  executor_->run_ready();
  EXPECT_TRUE(cancelled.finished());
  EXPECT_EQ(count.cancelled, 1u);
  EXPECT_FALSE(waits.finished());
  pipe.put('x');
  open_here(3);
  ASSERT_TRUE(finish_all());
  EXPECT_EQ(count.bytes, 1u);
}

TEST_P(RetireTest, TwoHundredWaitsSurviveWithoutAnyReactor) {
  constexpr unsigned kWaits = 200;
  Count count;
  std::vector<Pipe> pipes(kWaits);
  open_here(0);
  for (auto& pipe : pipes) start(read_one, pipe.read.get(), &count).detach();
  reactor_->turn(Instant::now() + milliseconds(1));
  EXPECT_EQ(reactor_->in_flight(), kWaits);
  close_here();
  EXPECT_EQ(driver_->reactor(0).reissued(), kWaits);
  EXPECT_EQ(driver_->reactor(0).state(), ReactorState::Empty);
  executor_->run_ready();
  EXPECT_EQ(executor_->alive(), static_cast<int>(kWaits));

  open_here(1);
  for (auto& pipe : pipes) pipe.put('y');
  ASSERT_TRUE(finish_all());
  EXPECT_EQ(count.bytes, kWaits);
  EXPECT_EQ(count.errors, 0u);
  EXPECT_EQ(count.cancelled, 0u);
  // Frozen figures of the retired slot stay visible.
  const IoSnapshot snapshot = driver_->snapshot();
  ASSERT_EQ(snapshot.reactors.size(), 2u);
  EXPECT_EQ(snapshot.reactors[0].submissions, kWaits);
  EXPECT_EQ(snapshot.reactors[0].inflight, 0u);
}

Task<void> write_block(int fd, int64_t offset, Count* count) {
  mem::Buffer buffer = *mem::lease(64 * 1024);
  std::memset(buffer.data(), static_cast<int>(offset / 65536 + 1), buffer.capacity());
  buffer.resize(buffer.capacity());
  WriteOp op(fd, std::move(buffer), offset);
  co_await op;
  if (op.result() == 64 * 1024)
    count->bytes += 64 * 1024;
  else
    ++count->errors;
}

TEST_P(RetireTest, DiskWritesAreAwaitedAndNotRepeated) {
  test::TempDir dir;
  const os::Fd file(open((dir / "f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  Count count;
  open_here(0);
  constexpr unsigned kBlocks = 100;
  for (unsigned i = 0; i < kBlocks; ++i) {
    start(write_block, file.get(), int64_t{i} * 65536, &count).detach();
  }
  close_here();
  EXPECT_EQ(driver_->reactor(0).reissued(), 0u);
  ASSERT_TRUE(finish_all());
  EXPECT_EQ(count.bytes, uint64_t{kBlocks} * 65536);
  EXPECT_EQ(count.errors, 0u);
  std::vector<char> block(65536);
  for (unsigned i = 0; i < kBlocks; ++i) {
    ASSERT_EQ(pread(file.get(), block.data(), block.size(), int64_t{i} * 65536), 65536);
    EXPECT_EQ(block[0], static_cast<char>(i + 1));
    EXPECT_EQ(block[65535], static_cast<char>(i + 1));
  }
}

TEST_P(RetireTest, RemoteOperationsAreCountedAndRung) {
  Dedicated other(*driver_, 5);
  Pipe pipe;
  Count count;
  for (int i = 0; i < 20; ++i) {
    pipe.put('z');
    start(read_one, pipe.read.get(), &count).detach();
    ASSERT_TRUE(finish_all());
  }
  EXPECT_EQ(count.bytes, 20u);
  const IoSnapshot snapshot = driver_->snapshot();
  ASSERT_EQ(snapshot.reactors.size(), 1u);
  EXPECT_EQ(snapshot.reactors[0].slot, 5u);
  EXPECT_EQ(snapshot.reactors[0].host, "thread");
  EXPECT_EQ(snapshot.reactors[0].remote_ops, 20u);
  EXPECT_GT(snapshot.reactors[0].bells, 0u);
}

TEST_P(RetireTest, ASlotOpensOnce) {
  open_here(2);
  EXPECT_EQ(driver_->open_reactor(2, "again").error().code, Errc::FailedPrecondition);
  EXPECT_FALSE(driver_->retire(3));
  close_here();
  EXPECT_FALSE(driver_->retire(2));
  open_here(2);
}

// Reactors come and go while operations start, complete and are cancelled from other threads: each
// ends once, and every byte is either read or still in its pipe.
TEST_P(RetireTest, Storm) {
  constexpr unsigned kPipes = 8;
  constexpr unsigned kRounds = 60;
  constexpr unsigned kEach = 60;
  std::vector<Pipe> pipes(kPipes);
  Count count;
  Dedicated anchor(*driver_, 0);
  std::atomic<bool> stop{false};
  std::thread resizer([&] {
    for (unsigned slot = 1; !stop; slot = slot % 3 + 1) Dedicated passing(*driver_, slot);
  });

  std::mt19937 random(20240611);
  uint64_t started = 0;
  uint64_t put = 0;
  for (unsigned round = 0; round < kRounds; ++round) {
    std::vector<JoinHandle<void>> handles;
    for (unsigned i = 0; i < kEach; ++i) {
      handles.push_back(start(read_one, pipes[random() % kPipes].read.get(), &count));
      ++started;
    }
    std::thread canceller([&handles, seed = random()] {
      std::mt19937 pick(seed);
      for (auto& handle : handles) {
        if (pick() % 2 == 0) handle.cancel();
        if (pick() % 8 == 0) std::this_thread::yield();
      }
    });
    for (unsigned i = 0; i < kEach / 2; ++i, ++put) pipes[random() % kPipes].put('s');
    canceller.join();
    // What is left waits for bytes that nobody sends.
    for (auto& handle : handles) handle.cancel();
    ASSERT_TRUE(finish_all());
  }
  stop = true;
  resizer.join();

  uint64_t left = 0;
  for (auto& pipe : pipes) {
    char rest[4096];
    for (ssize_t n; (n = read(pipe.read.get(), rest, sizeof rest)) > 0;) {
      left += static_cast<uint64_t>(n);
    }
  }
  EXPECT_EQ(count.errors, 0u);
  EXPECT_EQ(count.bytes + count.cancelled, started);
  EXPECT_EQ(count.bytes + left, put);
}

ZOKIO_BACKENDS(RetireTest);

}  // namespace
}  // namespace zokio::io
