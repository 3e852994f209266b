// SPDX-License-Identifier: Apache-2.0

// One reactor: waking, deadlines, more operations than a ring has room for, and names that are
// used again.

#include "io/reactor.h"

#include <gtest/gtest.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "io/ops/poll.h"
#include "io/ops/read.h"
#include "io/ops/write.h"
#include "io_fixture.h"
#include "temp_dir.h"

namespace zokio::io {
namespace {

using ReactorTest = IoTest;
using std::chrono::milliseconds;

Task<int64_t> read_byte(int fd) {
  ReadOp op(fd, *mem::lease(1), kNoOffset);
  co_await op;
  const int64_t result = op.result();
  IoResult done = op.take();
  EXPECT_TRUE(done.buffer);  // whatever happened
  co_return result == 1 ? static_cast<int64_t>(done.buffer.data()[0]) : result;
}

Task<int64_t> poll_for(int fd, short events) {
  PollOp op(fd, events);
  co_await op;
  co_return op.result();
}

template <class T>
Outcome<T> outcome(JoinHandle<T>& handle) {
  EXPECT_TRUE(handle.finished());
  auto awaiter = handle.operator co_await();
  EXPECT_TRUE(awaiter.await_ready());
  return awaiter.await_resume();
}

TEST_P(ReactorTest, AWakeBeforeTheTurnIsKept) {
  open_here();
  for (int i = 0; i < 100; ++i) {
    reactor_->wake();
    reactor_->turn(Instant::never());
  }
  std::thread waker([this] { reactor_->wake(); });
  reactor_->turn(Instant::never());
  waker.join();
}

TEST_P(ReactorTest, ATurnEndsAtItsDeadline) {
  open_here();
  const Instant before = Instant::now();
  const Instant deadline = before + milliseconds(20);
  unsigned turns = 0;
  while (Instant::now() < deadline) {
    reactor_->turn(deadline);
    ++turns;
  }
  // Early returns are allowed, spinning is not.
  EXPECT_LE(turns, 10u);
  EXPECT_EQ(reactor_->turn(before), 0u);
  EXPECT_EQ(reactor_->poll(), 0u);
}

TEST_P(ReactorTest, NoWakeIsEverLost) {
  open_here();
  constexpr uint64_t kRounds = 30'000;
  std::atomic<uint64_t> asked{0};
  std::atomic<uint64_t> seen{0};
  std::atomic<bool> lost{false};
  std::thread waker([&] {
    for (uint64_t i = 1; i <= kRounds; ++i) {
      asked.store(i, std::memory_order_release);
      reactor_->wake();
      if (!test::eventually([&] { return seen.load(std::memory_order_acquire) >= i; })) {
        lost = true;
        break;
      }
    }
    asked.store(UINT64_MAX, std::memory_order_release);
    reactor_->wake();
  });
  const Instant limit = Instant::now() + std::chrono::seconds(100);
  for (;;) {
    const uint64_t now = asked.load(std::memory_order_acquire);
    if (now == UINT64_MAX) break;
    seen.store(now, std::memory_order_release);
    reactor_->turn(limit);
    ASSERT_LT(Instant::now(), limit);
  }
  waker.join();
  EXPECT_FALSE(lost);
  EXPECT_LE(driver_->snapshot().reactors[0].bells, kRounds + 1);
}

TEST_P(ReactorTest, AWaitEndsWhenThereIsSomething) {
  open_here();
  Pipe pipe;
  auto handle = start(read_byte, pipe.read.get());
  EXPECT_EQ(reactor_->turn(Instant::now() + milliseconds(1)), 0u);
  EXPECT_EQ(reactor_->in_flight(), 1u);
  pipe.put('q');
  ASSERT_TRUE(finish_all());
  EXPECT_EQ(*outcome(handle), 'q');
  EXPECT_EQ(reactor_->in_flight(), 0u);
}

TEST_P(ReactorTest, CancelEndsAWaitAndNothingElse) {
  open_here();
  Pipe pipe;
  auto stays = start(read_byte, pipe.read.get());
  std::vector<JoinHandle<int64_t>> cancelled;
  for (int i = 0; i < 50; ++i) cancelled.push_back(start(read_byte, pipe.read.get()));
  reactor_->turn(Instant::now() + milliseconds(1));
  for (auto& handle : cancelled) handle.cancel();
  const Instant deadline = Instant::now() + std::chrono::seconds(60);
  while (executor_->alive() > 1 && Instant::now() < deadline) {
    reactor_->turn(deadline);
    executor_->run_ready();
  }
  for (auto& handle : cancelled) EXPECT_EQ(*outcome(handle), -ECANCELED);
  EXPECT_FALSE(stays.finished());
  pipe.put('s');
  ASSERT_TRUE(finish_all());
  EXPECT_EQ(*outcome(stays), 's');
  for (const IoOpSnapshot& op : driver_->snapshot().ops) {
    if (op.op == "read") {
      EXPECT_EQ(op.cancelled, 50u);
      EXPECT_EQ(op.ok, 1u);
      EXPECT_EQ(op.bytes, 1u);
      EXPECT_EQ(op.duration_ns.count, 51u);
    }
  }
}

TEST_P(ReactorTest, ATaskThatIsCancelledAlreadyStartsNothing) {
  open_here();
  Pipe pipe;
  auto handle = internal::spawn_on(*executor_, "test", read_byte, pipe.read.get());
  handle.cancel();
  executor_->run_ready();
  EXPECT_EQ(*outcome(handle), -ECANCELED);
  EXPECT_EQ(reactor_->in_flight(), 0u);
}

// More waiting operations than the completion queue has entries: they wait for one event.
TEST_P(ReactorTest, MoreWaitsThanCompletionsFit) {
  open_here();
  constexpr unsigned kWaits = 6000;
  Pipe pipe;
  std::vector<JoinHandle<int64_t>> handles;
  for (unsigned i = 0; i < kWaits; ++i)
    handles.push_back(start(poll_for, pipe.read.get(), short{POLLIN}));
  reactor_->turn(Instant::now() + milliseconds(1));
  EXPECT_EQ(reactor_->in_flight(), kWaits);
  pipe.put('x');
  ASSERT_TRUE(finish_all());
  for (auto& handle : handles) EXPECT_EQ(*outcome(handle) & POLLIN, POLLIN);
}

Task<int64_t> read_at(int fd, int64_t offset) {
  ReadOp op(fd, *mem::lease(8), offset);
  co_await op;
  if (op.result() != 8) co_return -1;
  IoResult done = op.take();
  int64_t value = 0;
  std::memcpy(&value, done.buffer.data(), 8);
  co_return value;
}

// More disk operations than credits: the rest waits in user space and loses nothing.
TEST_P(ReactorTest, MoreDiskOperationsThanCredits) {
  test::TempDir dir;
  const os::Fd file(open((dir / "f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  constexpr int64_t kCount = 9000;
  std::vector<int64_t> content(kCount);
  for (int64_t i = 0; i < kCount; ++i) content[static_cast<std::size_t>(i)] = i * 31;
  ASSERT_EQ(write(file.get(), content.data(), kCount * 8), kCount * 8);
  open_here();
  std::vector<JoinHandle<int64_t>> handles;
  for (int64_t i = 0; i < kCount; ++i) {
    // Without a turn in between, so that they pile up.
    handles.push_back(internal::spawn_on(*executor_, "test", read_at, file.get(), i * 8));
  }
  executor_->run_ready();
  ASSERT_TRUE(finish_all());
  for (int64_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(*outcome(handles[static_cast<std::size_t>(i)]), i * 31);
  }
}

// A number that was closed while its registration was remembered belongs to another object.
TEST_P(ReactorTest, ADescriptorNumberThatIsUsedAgain) {
  open_here();
  int number = -1;
  for (int round = 0; round < 20; ++round) {
    Pipe pipe;
    if (number >= 0) EXPECT_EQ(pipe.read.get(), number);
    number = pipe.read.get();
    auto first = start(read_byte, pipe.read.get());
    reactor_->turn(Instant::now() + milliseconds(1));
    if (round % 2 == 0) {
      first.cancel();
      while (!first.finished()) {
        reactor_->turn(Instant::now() + milliseconds(1));
        executor_->run_ready();
      }
    }
    pipe.put(static_cast<char>('a' + round));
    if (round % 2 != 0) {
      ASSERT_TRUE(finish_all());
      EXPECT_EQ(*outcome(first), 'a' + round);
    }
  }
}

TEST_P(ReactorTest, ABadDescriptorIsAnErrorOfTheOperation) {
  open_here();
  auto handle = start(read_byte, 9999);
  ASSERT_TRUE(finish_all());
  EXPECT_EQ(*outcome(handle), -EBADF);
}

// Answers EAGAIN when there is nothing, as older kernels do for every non-blocking descriptor.
class ImpatientRecv final : public Op {
 public:
  explicit ImpatientRecv(int fd) noexcept
      : Op({.kind = OpKind::Recv, .opcode = IORING_OP_RECV, .interest = POLLIN, .reissue = true}),
        fd_(fd) {}
  void encode(io_uring_sqe& entry) noexcept override {
    entry.opcode = IORING_OP_RECV;
    entry.fd = fd_;
    entry.addr = reinterpret_cast<uintptr_t>(&byte_);
    entry.len = 1;
    entry.msg_flags = MSG_DONTWAIT;
  }
  int64_t attempt() noexcept override {
    const ssize_t n = recv(fd_, &byte_, 1, MSG_DONTWAIT);
    return n < 0 ? -errno : n;
  }
  int poll_fd() const noexcept override { return fd_; }
  char byte() const noexcept { return byte_; }

 private:
  int fd_;
  char byte_ = 0;
};

Task<int64_t> impatient(int fd) {
  ImpatientRecv op(fd);
  co_await op;
  co_return op.result() == 1 ? static_cast<int64_t>(op.byte()) : op.result();
}

TEST_P(ReactorTest, WhereTheKernelDoesNotWaitTheReactorPolls) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const os::Fd reader(ends[0]);
  const os::Fd writer(ends[1]);
  open_here(0);
  auto polled = start(impatient, reader.get());
  for (int i = 0; i < 5; ++i) reactor_->turn(Instant::now() + milliseconds(1));
  EXPECT_FALSE(polled.finished());
  ASSERT_EQ(send(writer.get(), "p", 1, 0), 1);
  ASSERT_TRUE(finish_all());
  EXPECT_EQ(*outcome(polled), 'p');

  // Cancelled, and moved, while it polls.
  auto cancelled = start(impatient, reader.get());
  auto moved = start(impatient, reader.get());
  for (int i = 0; i < 5; ++i) reactor_->turn(Instant::now() + milliseconds(1));
  cancelled.cancel();
  close_here();
  executor_->run_ready();
  EXPECT_EQ(*outcome(cancelled), -ECANCELED);
  EXPECT_FALSE(moved.finished());
  open_here(1);
  ASSERT_EQ(send(writer.get(), "m", 1, 0), 1);
  ASSERT_TRUE(finish_all());
  EXPECT_EQ(*outcome(moved), 'm');
}

ZOKIO_BACKENDS(ReactorTest);

}  // namespace
}  // namespace zokio::io
