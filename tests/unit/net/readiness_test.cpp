// SPDX-License-Identifier: Apache-2.0

// What a reactor remembers of a descriptor: its readiness, and that a number may come back as
// another object. The other side is a plain socket, so that the order of events is ours.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "runtime_fixture.h"
#include "zokio/net/tcp_listener.h"
#include "zokio/net/tcp_stream.h"

namespace zokio::net {
namespace {

using Readiness = test::RuntimeTest;

os::Fd connect_plainly(const Address& address) {
  os::Fd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(fd.get(), address.data(), address.size()), 0) << strerror(errno);
  return fd;
}

Task<std::string> read_once(TcpStream* stream, std::size_t room) {
  IoResult got = co_await stream->read(*mem::lease(room));
  if (!got.n) co_return got.n.error().to_string();
  co_return std::string(as_text(got.buffer.bytes()));
}

Task<std::string> read_to_end(TcpStream* stream, std::size_t room) {
  std::string all;
  while (true) {
    IoResult got = co_await stream->read(*mem::lease(room));
    if (!got.n) co_return all + got.n.error().to_string();
    if (*got.n == 0) co_return all;
    all += as_text(got.buffer.bytes());
  }
}

Task<Result<TcpStream>> accept_one(TcpListener* listener) {
  return listener->accept();
}

// A number that is closed and opened again, with the old one watched: each new socket has to hear
// of what comes, also when nothing was ready at the first attempt.
TEST_P(Readiness, ANumberThatComesBackIsAnotherSocket) {
  auto listener = TcpListener::bind(Address::loopback(0));
  ASSERT_TRUE(listener);
  const Address address = *listener->local_address();
  std::set<int> numbers;
  constexpr int kTimes = 40;
  for (int i = 0; i < kTimes; ++i) {
    os::Fd peer = connect_plainly(address);
    auto stream = runtime_->block_on(&accept_one, &*listener);
    ASSERT_TRUE(stream) << stream.error().to_string();
    numbers.insert(stream->fd());
    auto reading = runtime_->spawn(&read_once, &*stream, std::size_t{64});
    // It waits before there is something.
    ASSERT_TRUE(test::eventually([&] {
      uint64_t inflight = 0;
      for (const ReactorSnapshot& reactor : runtime_->stats().io.reactors)
        inflight += reactor.inflight;
      return inflight > 0;
    }));
    ASSERT_EQ(send(peer.get(), "hello", 5, 0), 5);
    ASSERT_TRUE(test::eventually([&] { return reading.finished(); })) << "time " << i;
  }
  EXPECT_LT(numbers.size(), static_cast<std::size_t>(kTimes)) << "no number came back";
}

// Less than the room comes, and with it the end: nothing more will happen on the socket, so the
// next read has to find the end by itself.
TEST_P(Readiness, TheEndThatCameWithTheLastBytesIsSeen) {
  auto listener = TcpListener::bind(Address::loopback(0));
  ASSERT_TRUE(listener);
  for (int i = 0; i < 50; ++i) {
    os::Fd peer = connect_plainly(*listener->local_address());
    auto stream = runtime_->block_on(&accept_one, &*listener);
    ASSERT_TRUE(stream) << stream.error().to_string();
    auto reading = runtime_->spawn(&read_to_end, &*stream, std::size_t{64});
    if (i % 2 == 0) std::this_thread::yield();
    ASSERT_EQ(send(peer.get(), "bye", 3, 0), 3);
    peer.reset();
    ASSERT_TRUE(test::eventually([&] { return reading.finished(); })) << "time " << i;
  }
}

// A reader that takes less than there is goes on without a new event.
TEST_P(Readiness, WhatIsLeftInTheSocketIsReadOn) {
  auto listener = TcpListener::bind(Address::loopback(0));
  ASSERT_TRUE(listener);
  os::Fd peer = connect_plainly(*listener->local_address());
  auto stream = runtime_->block_on(&accept_one, &*listener);
  ASSERT_TRUE(stream) << stream.error().to_string();
  std::string text(100'000, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 31);
  auto reading = runtime_->spawn(&read_to_end, &*stream, std::size_t{7});
  ASSERT_EQ(send(peer.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  peer.reset();
  ASSERT_TRUE(test::eventually([&] { return reading.finished(); }));
  struct Join {
    static Task<std::string> it(JoinHandle<std::string>* handle) {
      co_return (co_await *handle).value_or("cancelled");
    }
  };
  EXPECT_EQ(runtime_->block_on(&Join::it, &reading), text);
}

Task<std::string> receive_to_end(TcpStream* stream) {
  std::string all;
  while (true) {
    auto got = co_await stream->receive();
    if (!got) co_return all + got.error().to_string();
    if (got->size() == 0) co_return all;
    all += as_text(got->bytes());
  }
}

uint64_t buffers_in_use() {
  return mem::snapshot(mem::PoolId::Buffers).objects_in_use;
}

// More receives end at once than there are buffers to pick from: the rest lease their own. Nothing
// is lost, and what waits holds nothing.
TEST_P(Readiness, ReceivesHoldABufferOnlyWhenSomethingCame) {
  constexpr unsigned kPeers = 400;
  auto listener = TcpListener::bind(Address::loopback(0));
  ASSERT_TRUE(listener);
  std::vector<os::Fd> peers;
  std::vector<TcpStream> streams;
  for (unsigned i = 0; i < kPeers; ++i) {
    peers.push_back(connect_plainly(*listener->local_address()));
    auto stream = runtime_->block_on(&accept_one, &*listener);
    ASSERT_TRUE(stream) << stream.error().to_string();
    streams.push_back(*std::move(stream));
  }
  const uint64_t before = buffers_in_use();
  std::vector<JoinHandle<std::string>> readers;
  for (TcpStream& stream : streams) readers.push_back(runtime_->spawn(&receive_to_end, &stream));
  ASSERT_TRUE(test::eventually([&] {
    uint64_t inflight = 0;
    for (const ReactorSnapshot& reactor : runtime_->stats().io.reactors)
      inflight += reactor.inflight;
    return inflight == kPeers;
  }));
  // Those that the kernel picks from belong to a ring: 256 for each reactor.
  EXPECT_LE(buffers_in_use(), before + 2 * 256);
  if (GetParam().backend == Backend::Epoll) EXPECT_EQ(buffers_in_use(), before);
  std::string text(10'000, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 31);
  for (os::Fd& peer : peers) {
    ASSERT_EQ(send(peer.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    peer.reset();
  }
  struct Join {
    static Task<unsigned> it(std::vector<JoinHandle<std::string>>* handles,
                             const std::string* all) {
      unsigned right = 0;
      for (auto& handle : *handles) {
        const auto got = co_await handle;
        right += got && *got == *all ? 1 : 0;
      }
      co_return right;
    }
  };
  EXPECT_EQ(*runtime_->block_on(&Join::it, &readers, &text), kPeers);
}

Task<Result<mem::Buffer>> receive_in(TcpStream* stream, Duration length) {
  auto got = co_await with_timeout(stream->receive(), length);
  if (!got) co_return fail(got.error());
  co_return *std::move(got);
}

TEST_P(Readiness, AReceiveThatIsCancelledTakesNothing) {
  auto listener = TcpListener::bind(Address::loopback(0));
  ASSERT_TRUE(listener);
  os::Fd peer = connect_plainly(*listener->local_address());
  auto stream = runtime_->block_on(&accept_one, &*listener);
  ASSERT_TRUE(stream) << stream.error().to_string();
  const auto cancelled =
      runtime_->block_on(&receive_in, &*stream, Duration(std::chrono::milliseconds(5)));
  ASSERT_FALSE(cancelled);
  ASSERT_EQ(send(peer.get(), "later", 5, 0), 5);
  const auto got = runtime_->block_on(&receive_in, &*stream, Duration(std::chrono::seconds(30)));
  ASSERT_TRUE(got) << got.error().to_string();
  EXPECT_EQ(as_text(got->bytes()), "later");
}

// The pool allows no buffer: the receive says so, and the bytes are still there.
TEST_P(Readiness, AReceiveWithoutMemoryTakesNothing) {
  auto listener = TcpListener::bind(Address::loopback(0));
  ASSERT_TRUE(listener);
  os::Fd peer = connect_plainly(*listener->local_address());
  auto stream = runtime_->block_on(&accept_one, &*listener);
  ASSERT_TRUE(stream) << stream.error().to_string();
  ASSERT_TRUE(mem::set_limit("buffers", 1, true));
  ASSERT_EQ(send(peer.get(), "later", 5, 0), 5);
  const auto refused =
      runtime_->block_on(&receive_in, &*stream, Duration(std::chrono::seconds(30)));
  ASSERT_TRUE(mem::set_limit("buffers", 0));
  if (refused) GTEST_SKIP() << "a buffer of the ring was there before the limit";
  EXPECT_EQ(refused.error().code, Errc::ResourceExhausted);
  const auto got = runtime_->block_on(&receive_in, &*stream, Duration(std::chrono::seconds(30)));
  ASSERT_TRUE(got) << got.error().to_string();
  EXPECT_EQ(as_text(got->bytes()), "later");
}

Task<unsigned> accept_many(TcpListener* listener, unsigned count) {
  unsigned accepted = 0;
  for (unsigned i = 0; i < count; ++i) {
    const auto stream = co_await listener->accept();
    if (stream) ++accepted;
  }
  co_return accepted;
}

// Connections that came while nobody accepted cost no pass of the reactor each: behind a thousand
// busy ones the last of them would wait for as many passes.
TEST_P(Readiness, ABunchOfConnectionsIsAcceptedInOneGo) {
  auto listener = TcpListener::bind(Address::loopback(0));
  ASSERT_TRUE(listener);
  std::vector<os::Fd> peers;
  constexpr unsigned kPeers = 100;
  for (unsigned i = 0; i < kPeers; ++i)
    peers.push_back(connect_plainly(*listener->local_address()));
  const auto polls = [&] {
    uint64_t sum = 0;
    for (const WorkerSnapshot& worker : runtime_->stats().scheduler.workers) sum += worker.polls;
    return sum;
  };
  const uint64_t before = polls();
  EXPECT_EQ(runtime_->block_on(&accept_many, &*listener, kPeers), kPeers);
  EXPECT_LT(polls() - before, kPeers / 4);
}

ZOKIO_RUNTIME_MATRIX(Readiness);

}  // namespace
}  // namespace zokio::net
