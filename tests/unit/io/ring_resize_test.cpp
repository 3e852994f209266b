// SPDX-License-Identifier: Apache-2.0

// Rings and their buffers that change size while operations are in flight.

#include <sys/socket.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "io/ops/read.h"
#include "io/ops/receive.h"
#include "io/ops/send.h"
#include "io_fixture.h"

namespace zokio::io {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Count {
  std::atomic<uint64_t> bytes{0};
  std::atomic<uint64_t> cancelled{0};
  std::atomic<uint64_t> errors{0};

  void take(int64_t result) {
    if (result > 0)
      bytes += static_cast<uint64_t>(result);
    else if (result == -ECANCELED)
      ++cancelled;
    else
      ++errors;
  }
};

struct Sockets {
  os::Fd a;
  os::Fd b;

  Sockets() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    a = os::Fd(ends[0]);
    b = os::Fd(ends[1]);
  }
  void put(char byte) const { EXPECT_EQ(::write(b.get(), &byte, 1), 1); }
};

Task<void> read_one(int fd, Count* count) {
  ReadOp op(fd, *mem::lease(1), kNoOffset);
  co_await op;
  count->take(op.result());
}

Task<void> receive_one(int fd, Count* count) {
  ReceiveOp op(fd, 4096);
  co_await op;
  count->take(op.result());
  if (op.result() > 0) {
    auto buffer = op.take();
    if (!buffer.has_value() || buffer->size() != 1 || buffer->data()[0] != std::byte('x'))
      ++count->errors;
  }
}

class RingResizeTest : public IoTest {
 protected:
  bool uring() const { return GetParam() == Backend::Uring; }

  // The request comes from another thread while this one turns the reactor.
  Result<ResizeReport> resize(const RingRequest& request) {
    std::atomic<bool> done{false};
    Result<ResizeReport> report = fail(Errc::Unknown, "");
    std::thread control([&] {
      report = driver_->resize_rings(request, Instant::now() + seconds(60));
      done = true;
      reactor_->wake();
    });
    while (!done) {
      reactor_->turn(Instant::now() + milliseconds(1));
      executor_->run_ready();
    }
    control.join();
    return report;
  }
  ReactorSnapshot figures() const { return driver_->snapshot().reactors.at(0); }
  // Until replaced rings are gone.
  bool drained() {
    return test::eventually([&] {
      reactor_->turn(Instant::now() + milliseconds(1));
      executor_->run_ready();
      return figures().rings_draining == 0;
    });
  }
};

// 300 reads wait while the ring becomes larger and smaller, in both ways; then each gets its byte.
TEST_P(RingResizeTest, WhatWaitsGoesOn) {
  constexpr unsigned kWaits = 300;
  open_here();
  Count count;
  std::vector<Pipe> pipes(kWaits);
  for (auto& pipe : pipes) start(read_one, pipe.read.get(), &count).detach();
  reactor_->turn(Instant::now() + milliseconds(1));
  const struct {
    unsigned entries;
    bool replace;
  } steps[] = {{4096, false}, {64, false}, {4096, true}, {64, true}, {256, false}, {256, true}};
  for (const auto& step : steps) {
    auto report = resize({.entries = step.entries, .replace = step.replace});
    ASSERT_TRUE(report.has_value()) << report.error().to_string();
    if (!uring()) {
      EXPECT_EQ(report->way, "epoll has no rings");
      continue;
    }
    EXPECT_EQ(report->reached, step.entries);
    EXPECT_EQ(figures().ring_entries, step.entries);
    if (step.replace) {
      EXPECT_EQ(report->way, "1 replaced");
      EXPECT_EQ(report->reissued_ops, kWaits);
    }
    ASSERT_TRUE(drained());
  }
  EXPECT_EQ(count.bytes + count.errors + count.cancelled, 0u);
  EXPECT_EQ(reactor_->in_flight(), kWaits);
  for (auto& pipe : pipes) pipe.put('x');
  ASSERT_TRUE(finish_all());
  EXPECT_EQ(count.bytes, kWaits);
  if (uring()) {
    const ReactorSnapshot now = figures();
    EXPECT_EQ(now.rings_resized + now.rings_replaced, 6u);
    EXPECT_GE(now.rings_replaced, 3u);
  }
}

// What becomes ready while its ring is being given up is delivered, once, and a cancel finds it.
TEST_P(RingResizeTest, WhatEndsMeanwhileEndsOnce) {
  constexpr unsigned kWaits = 120;
  open_here();
  for (unsigned round = 0; round < 8; ++round) {
    Count count;
    std::vector<Pipe> pipes(kWaits);
    std::vector<JoinHandle<void>> tasks;
    for (auto& pipe : pipes) tasks.push_back(start(read_one, pipe.read.get(), &count));
    reactor_->turn(Instant::now() + milliseconds(1));
    std::atomic<bool> go{false};
    std::thread other([&] {
      while (!go) std::this_thread::yield();
      for (unsigned i = 0; i < kWaits; ++i)
        if (i % 3 == 0)
          pipes[i].put('x');
        else if (i % 3 == 1)
          tasks[i].cancel();
    });
    go = true;
    auto report = resize({.entries = round % 2 == 0 ? 64u : 1024u, .replace = round % 4 < 3});
    ASSERT_TRUE(report.has_value()) << report.error().to_string();
    other.join();
    for (unsigned i = 2; i < kWaits; i += 3) pipes[i].put('x');
    ASSERT_TRUE(finish_all());
    EXPECT_EQ(count.bytes + count.cancelled, kWaits);
    EXPECT_EQ(count.errors, 0u);
    EXPECT_GE(count.bytes, kWaits * 2 / 3);
    ASSERT_TRUE(drained());
  }
}

// A bell that rings while the old ring still reads it wakes the reactor all the same.
TEST_P(RingResizeTest, TheBellIsHeardAfterEachReplacement) {
  open_here();
  for (unsigned round = 0; round < 20; ++round) {
    Count count;
    Pipe pipe;
    auto task = start(read_one, pipe.read.get(), &count);
    reactor_->turn(Instant::now() + milliseconds(1));
    auto report = resize({.entries = round % 2 == 0 ? 64u : 128u, .replace = true});
    ASSERT_TRUE(report.has_value());
    std::thread other([&] { task.cancel(); });
    // Only the message wakes it: the deadline is far.
    const Instant begin = Instant::now();
    while (executor_->alive() > 0 && Instant::now() - begin < seconds(60)) {
      reactor_->turn(begin + seconds(60));
      executor_->run_ready();
    }
    other.join();
    EXPECT_EQ(count.cancelled, 1u);
    ASSERT_TRUE(drained());
  }
}

TEST_P(RingResizeTest, ReceiveBuffersGrowAndShrink) {
  constexpr unsigned kWaits = 40;
  open_here();
  Count count;
  std::vector<Sockets> sockets(kWaits);
  for (auto& pair : sockets) start(receive_one, pair.a.get(), &count).detach();
  reactor_->turn(Instant::now() + milliseconds(1));
  for (unsigned buffers : {1024u, 8u, 64u}) {
    auto report = resize({.buffers = buffers});
    ASSERT_TRUE(report.has_value()) << report.error().to_string();
    if (!uring()) continue;
    EXPECT_EQ(report->reached, buffers);
    EXPECT_EQ(figures().receive_buffers, buffers);
    EXPECT_EQ(report->reissued_ops, kWaits);
    // The set before has left when its last receive has begun anew.
    for (int i = 0; i < 10; ++i) reactor_->turn(Instant::now() + milliseconds(1));
  }
  EXPECT_EQ(count.bytes + count.errors + count.cancelled, 0u);
  for (auto& pair : sockets) pair.put('x');
  ASSERT_TRUE(finish_all());
  EXPECT_EQ(count.bytes, kWaits);
  EXPECT_EQ(count.errors, 0u);
}

TEST_P(RingResizeTest, RefusesTheImpossible) {
  open_here();
  for (unsigned entries : {1u, 31u, 4097u})
    EXPECT_EQ(resize({.entries = entries}).error().code, Errc::InvalidArgument);
  for (unsigned buffers : {1u, 32769u})
    EXPECT_EQ(resize({.buffers = buffers}).error().code, Errc::InvalidArgument);
  EXPECT_EQ(driver_->ring_sizes().entries, uring() ? 64u : 256u);
}

// A reactor that opens later begins with the new size.
TEST_P(RingResizeTest, LaterReactorsHaveTheNewSize) {
  ASSERT_TRUE(driver_->resize_rings({.entries = 500, .buffers = 0}, Instant::now()).has_value());
  open_here();
  EXPECT_EQ(figures().ring_entries, uring() ? 512u : 0u);
}

ZOKIO_BACKENDS(RingResizeTest);

}  // namespace
}  // namespace zokio::io
