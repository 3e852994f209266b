// SPDX-License-Identifier: Apache-2.0

// Datagrams over UDP and Unix sockets: whole, empty, too long, to nobody, and cancelled.

#include "zokio/net/udp_socket.h"

#include <cerrno>
#include <string>

#include "../io/ops_fixture.h"
#include "temp_dir.h"
#include "zokio/net/unix_datagram.h"

namespace zokio::net {
namespace {

using UdpTest = test::BufferTest;
using std::chrono::milliseconds;
using test::text_buffer;

Task<void> datagrams(Address any) {
  auto a = UdpSocket::bind(any);
  auto b = UdpSocket::bind(any);
  CO_ASSERT_OK(a);
  CO_ASSERT_OK(b);
  const Address to_b = *b->local_address();
  IoResult sent = co_await a->send_to(text_buffer("first"), to_b);
  CO_ASSERT_OK(sent.n);
  sent = co_await a->send_to(text_buffer(""), to_b);
  CO_ASSERT_OK(sent.n);
  sent = co_await a->send_to(text_buffer("third is long"), to_b);
  CO_ASSERT_OK(sent.n);

  Datagram got = co_await b->recv_from(*mem::lease(8));
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(as_text(got.buffer.bytes()), "first");
  EXPECT_EQ(*got.from, *a->local_address());
  got = co_await b->recv_from(std::move(got.buffer));
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(*got.n, 0u);
  EXPECT_FALSE(got.truncated);
  got = co_await b->recv_from(std::move(got.buffer));
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(as_text(got.buffer.bytes()), "third is");
  EXPECT_TRUE(got.truncated);

  // Connected: answers without an address, and the news that nobody is there.
  EXPECT_TRUE(b->connect(*a->local_address()).has_value());
  sent = co_await b->send(text_buffer("back"));
  CO_ASSERT_OK(sent.n);
  got = co_await a->recv_from(std::move(got.buffer));
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(*got.from, to_b);
  EXPECT_TRUE(a->close().has_value());
  sent = co_await b->send(text_buffer("anybody?"));
  auto refused = co_await with_timeout(b->recv(*mem::lease(8)), std::chrono::seconds(20));
  CO_ASSERT_OK(refused);
  CO_ASSERT(!refused->n.has_value());
  EXPECT_EQ(refused->n.error().os_errno, ECONNREFUSED);
}

TEST_P(UdpTest, DatagramsStayWhole) {
  ASSERT_TRUE(runtime_->block_on(datagrams, Address::loopback(0)).has_value());
  if (UdpSocket::bind(Address::loopback_v6(0)).has_value()) {
    ASSERT_TRUE(runtime_->block_on(datagrams, Address::loopback_v6(0)).has_value());
  }
}

Task<Result<std::size_t>> receive_one(UdpSocket* socket) {
  Datagram got = co_await socket->recv_from(*mem::lease(64));
  EXPECT_EQ(got.buffer.capacity(), 64u);
  co_return got.n;
}

Task<void> cancelled_datagrams() {
  auto a = UdpSocket::bind(Address::loopback(0));
  auto b = UdpSocket::bind(Address::loopback(0));
  CO_ASSERT_OK(a);
  CO_ASSERT_OK(b);
  unsigned ended = 0;
  unsigned cut = 0;
  co_await test::cancel_at_every_point([&](unsigned) { return spawn(receive_one, &*b); }, 100,
                                       &ended, &cut);
  EXPECT_EQ(cut, 100u);
  IoResult sent = co_await a->send_to(text_buffer("x"), *b->local_address());
  CO_ASSERT_OK(sent.n);
  auto last = co_await receive_one(&*b);
  CO_ASSERT_OK(last);
}

TEST_P(UdpTest, ACancelledReceiveTakesNothing) {
  ASSERT_TRUE(runtime_->block_on(cancelled_datagrams).has_value());
}

Task<void> send_many(UnixDatagram* socket, UnixAddress to, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    IoResult sent = to.has_name() ? co_await socket->send_to(text_buffer(std::to_string(i)), to)
                                  : co_await socket->send(text_buffer(std::to_string(i)));
    CO_ASSERT_OK(sent.n);
  }
}

// More than the receiver's queue holds: the sender waits, and nothing is lost or out of order.
Task<void> full_queue(std::string path) {
  auto name = UnixAddress::path(path);
  CO_ASSERT_OK(name);
  auto receiver = UnixDatagram::bind(*name);
  CO_ASSERT_OK(receiver);
  EXPECT_EQ(UnixDatagram::bind(*name).error().os_errno, EADDRINUSE);
  for (const bool connected : {false, true}) {
    auto sender = UnixDatagram::unbound();
    CO_ASSERT_OK(sender);
    if (connected) EXPECT_TRUE(sender->connect(*name).has_value());
    constexpr unsigned kCount = 1000;
    auto sending = spawn(send_many, &*sender, connected ? UnixAddress() : *name, kCount);
    mem::Buffer buffer = *mem::lease(16);
    for (unsigned i = 0; i < kCount; ++i) {
      UnixDatagramMessage got = co_await receiver->recv_from(std::move(buffer));
      CO_ASSERT_OK(got.n);
      CO_ASSERT(as_text(got.buffer.bytes()) == std::to_string(i));
      EXPECT_FALSE(got.from.has_name());
      buffer = std::move(got.buffer);
    }
    auto sent = co_await sending;
    CO_ASSERT_OK(sent);
    // A sender in front of a full queue can be cut off, and has its buffer back.
    IoResult sent_one{.n = 1, .buffer = {}};
    while (sent_one.n.has_value()) {
      auto timed = co_await with_timeout(
          connected ? sender->send(text_buffer("y")) : sender->send_to(text_buffer("y"), *name),
          milliseconds(20));
      CO_ASSERT_OK(timed);
      sent_one = *std::move(timed);
    }
    EXPECT_EQ(sent_one.n.error().code, Errc::Cancelled);
    EXPECT_EQ(as_text(sent_one.buffer.bytes()), "y");
    char rest[16];
    while (recv(receiver->fd(), rest, sizeof rest, MSG_DONTWAIT) >= 0) {
    }
  }
  auto gone =
      co_await UnixDatagram::unbound()->send_to(text_buffer("x"), *UnixAddress::path(path + "-"));
  EXPECT_EQ(gone.n.error().code, Errc::NotFound);
}

TEST_P(UdpTest, UnixDatagramsWaitForRoom) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(full_queue, dir / "socket").has_value());
}

ZOKIO_RUNTIME_MATRIX(UdpTest);

}  // namespace
}  // namespace zokio::net
