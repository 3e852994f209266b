// SPDX-License-Identifier: Apache-2.0

// Names, several addresses, options of sockets, and files sent without a copy.

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

#include "../io/ops_fixture.h"
#include "temp_dir.h"
#include "zokio/net/resolve.h"
#include "zokio/net/send_file.h"
#include "zokio/net/socket_options.h"
#include "zokio/net/tcp_listener.h"
#include "zokio/net/tcp_stream.h"

namespace zokio::net {
namespace {

using ConnectTest = test::BufferTest;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A port on which nobody listens, and somebody did a moment ago.
Address refusing() {
  auto listener = TcpListener::bind(Address::loopback(0));
  return *listener->local_address();
}

// A listener whose backlog is full: connecting to it takes until somebody accepts.
struct Silent {
  TcpListener listener;
  Address address = Address::any(0);
  std::vector<TcpStream> fillers;

  static Task<Result<Silent>> make() {
    Silent out;
    ZOKIO_CO_TRY(out.listener, TcpListener::bind(Address::loopback(0), {.backlog = 0}));
    ZOKIO_CO_TRY(out.address, out.listener.local_address());
    for (int i = 0; i < 16; ++i) {
      auto filler = co_await with_timeout(TcpStream::connect(out.address), milliseconds(100));
      if (!filler.has_value()) co_return out;
      out.fillers.push_back(*std::move(filler));
    }
    co_return fail(Errc::Internal, "the backlog does not fill");
  }
};

Task<void> names() {
  auto digits = co_await resolve("127.0.0.1", 80);
  CO_ASSERT_OK(digits);
  EXPECT_EQ(digits->front().to_string(), "127.0.0.1:80");
  auto six = co_await resolve("::1", 81);
  CO_ASSERT_OK(six);
  EXPECT_EQ(six->front().to_string(), "[::1]:81");
  EXPECT_EQ((co_await resolve("::1", 81, Family::V4)).error().code, Errc::NotFound);
  EXPECT_EQ((co_await resolve("", 81)).error().code, Errc::InvalidArgument);

  auto local = co_await resolve("localhost", 82, Family::V4);
  CO_ASSERT_OK(local);
  EXPECT_EQ(local->front().to_string(), "127.0.0.1:82");
  auto nobody = co_await resolve("no-such-name.invalid", 82);
  CO_ASSERT(!nobody.has_value());
  EXPECT_TRUE(nobody.error().code == Errc::NotFound || nobody.error().code == Errc::Unavailable);

  // Cut at every point: the lookup goes on without the task, and is awaited by the pool's end.
  unsigned ended = 0;
  unsigned cut = 0;
  co_await test::cancel_at_every_point(
      [](unsigned) { return spawn(&resolve, std::string("localhost"), uint16_t{1}, Family::Any); },
      50, &ended, &cut);
  EXPECT_EQ(ended + cut, 50u);
}

TEST_P(ConnectTest, NamesBecomeAddresses) {
  ASSERT_TRUE(runtime_->block_on(names).has_value());
}

Task<void> several() {
  auto listener = TcpListener::bind(Address::loopback(0));
  CO_ASSERT_OK(listener);
  const Address good = *listener->local_address();
  // Refused ones cost nothing: the stagger would be an hour.
  auto second =
      co_await TcpStream::connect_any({refusing(), refusing(), good}, std::chrono::hours(1));
  CO_ASSERT_OK(second);
  EXPECT_EQ(*second->peer_address(), good);
  auto none = co_await TcpStream::connect_any({refusing(), refusing()}, std::chrono::hours(1));
  CO_ASSERT(!none.has_value());
  EXPECT_EQ(none.error().os_errno, ECONNREFUSED);
  EXPECT_EQ((co_await TcpStream::connect_any({})).error().code, Errc::InvalidArgument);
  auto by_name = co_await TcpStream::connect_host("localhost", good.port());
  CO_ASSERT_OK(by_name);

  // One that is silent: the next is tried after the stagger, and wins.
  auto silent = co_await Silent::make();
  CO_ASSERT_OK(silent);
  auto around = co_await with_timeout(
      TcpStream::connect_any({silent->address, silent->address, good}, milliseconds(10)),
      seconds(30));
  CO_ASSERT_OK(around);
  EXPECT_EQ(*around->peer_address(), good);
  // All are silent: the deadline ends it, and no socket of the attempts is left.
  auto late = co_await with_timeout(
      TcpStream::connect_any({silent->address, silent->address}, milliseconds(1)),
      milliseconds(30));
  CO_ASSERT(!late.has_value());
  EXPECT_EQ(late.error().code, Errc::DeadlineExceeded);
  unsigned ended = 0;
  unsigned cut = 0;
  const std::vector<Address> addresses{silent->address, refusing(), silent->address};
  co_await test::cancel_at_every_point(
      [&](unsigned) {
        return spawn(&TcpStream::connect_any, addresses, Duration(milliseconds(1)));
      },
      60, &ended, &cut);
  EXPECT_EQ(cut, 60u);
}

TEST_P(ConnectTest, TheFirstThatAnswers) {
  ASSERT_TRUE(runtime_->block_on(several).has_value());
}

Task<void> options() {
  auto listener = TcpListener::bind(Address::loopback(0));
  CO_ASSERT_OK(listener);
  auto client = co_await TcpStream::connect(*listener->local_address());
  CO_ASSERT_OK(client);
  auto server = co_await listener->accept();
  CO_ASSERT_OK(server);
  const auto read = [](int fd, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    EXPECT_EQ(getsockopt(fd, level, name, &value, &size), 0);
    return value;
  };
  const int fd = client->fd();
  EXPECT_NE(read(fd, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_NE(read(server->fd(), IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_TRUE(set_no_delay(fd, false).has_value());
  EXPECT_EQ(read(fd, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_TRUE(
      set_keep_alive(fd, {.idle = seconds(7), .interval = seconds(3), .probes = 2}).has_value());
  EXPECT_EQ(read(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(read(fd, IPPROTO_TCP, TCP_KEEPIDLE), 7);
  EXPECT_EQ(read(fd, IPPROTO_TCP, TCP_KEEPINTVL), 3);
  EXPECT_EQ(read(fd, IPPROTO_TCP, TCP_KEEPCNT), 2);
  EXPECT_TRUE(clear_keep_alive(fd).has_value());
  EXPECT_EQ(read(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_TRUE(set_user_timeout(fd, milliseconds(1500)).has_value());
  EXPECT_EQ(read(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 1500);
  EXPECT_TRUE(set_send_buffer(fd, 40'000).has_value());
  EXPECT_GE(read(fd, SOL_SOCKET, SO_SNDBUF), 40'000);
  EXPECT_FALSE(set_keep_alive(fd, {.idle = seconds(100'000)}).has_value());
  EXPECT_EQ(set_no_delay(-1, true).error().os_errno, EBADF);

  EXPECT_TRUE(set_reset_on_close(fd, true).has_value());
  auto closed = co_await client->close();
  CO_ASSERT_OK(closed);
  IoResult reset = co_await server->read(*mem::lease(8));
  CO_ASSERT(!reset.n.has_value());
  EXPECT_EQ(reset.n.error().os_errno, ECONNRESET);
}

TEST_P(ConnectTest, OptionsOfSockets) {
  ASSERT_TRUE(runtime_->block_on(options).has_value());
}

Task<void> v6() {
  auto listener = TcpListener::bind(Address::loopback_v6(0));
  if (!listener.has_value()) co_return;  // no IPv6 here
  const Address address = *listener->local_address();
  EXPECT_TRUE(address.is_v6());
  auto client = co_await TcpStream::connect(address);
  CO_ASSERT_OK(client);
  auto server = co_await listener->accept();
  CO_ASSERT_OK(server);
  EXPECT_EQ(*client->local_address(), *server->peer_address());
  // One port for both families: :: takes no IPv4 unless asked for.
  auto four = TcpListener::bind(Address::any(0));
  CO_ASSERT_OK(four);
  auto both = TcpListener::bind(Address::any_v6(four->local_address()->port()));
  CO_ASSERT_OK(both);
}

TEST_P(ConnectTest, IPv6) {
  ASSERT_TRUE(runtime_->block_on(v6).has_value());
}

struct Pair {
  TcpStream client;
  TcpStream server;
};

Task<Result<Pair>> make_pair() {
  ZOKIO_CO_TRY(TcpListener listener, TcpListener::bind(Address::loopback(0)));
  ZOKIO_CO_TRY(const Address address, listener.local_address());
  ZOKIO_CO_TRY(TcpStream client, co_await TcpStream::connect(address));
  ZOKIO_CO_TRY(TcpStream server, co_await listener.accept());
  co_return Pair{.client = std::move(client), .server = std::move(server)};
}

Task<void> files(std::string path, std::string text) {
  os::Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto pair = co_await make_pair();
  CO_ASSERT_OK(pair);
  auto sending =
      spawn(&send_file, pair->server.fd(), file.get(), uint64_t{1234}, uint64_t{UINT64_MAX});
  const std::size_t expected = text.size() - 1234;
  IoResult got = co_await pair->client.read_exactly(*mem::lease(expected), expected);
  CO_ASSERT_OK(got.n);
  EXPECT_TRUE(as_text(got.buffer.bytes()) == std::string_view(text).substr(1234));
  auto sent = co_await sending;
  CO_ASSERT_OK(sent);
  EXPECT_EQ(*sent, expected);
  auto part = co_await send_file(pair->server.fd(), file.get(), 10, 20);
  CO_ASSERT_OK(part);
  EXPECT_EQ(*part, 20u);
  auto behind = co_await send_file(pair->server.fd(), file.get(), text.size(), 20);
  CO_ASSERT_OK(behind);
  EXPECT_EQ(*behind, 0u);

  // The other side reads nothing: it stops in the middle, and no pipe is left of it.
  unsigned ended = 0;
  unsigned cut = 0;
  co_await test::cancel_at_every_point(
      [&](unsigned) {
        return spawn(&send_file, pair->server.fd(), file.get(), uint64_t{0}, uint64_t{UINT64_MAX});
      },
      40, &ended, &cut);
  EXPECT_GT(cut, 0u);
  pair->client = TcpStream();
  Error last;
  for (int i = 0; i < 1000 && last.os_errno == 0; ++i) {
    auto broken = co_await send_file(pair->server.fd(), file.get(), 0, UINT64_MAX);
    if (!broken.has_value()) last = broken.error();
  }
  EXPECT_TRUE(last.os_errno == EPIPE || last.os_errno == ECONNRESET) << last.to_string();
}

TEST_P(ConnectTest, FilesAreSentWithoutACopy) {
  test::TempDir dir;
  const std::string text = test::pattern_text(3'000'000);
  std::ofstream(dir / "f", std::ios::binary) << text;
  ASSERT_TRUE(runtime_->block_on(files, dir / "f", text).has_value());
}

ZOKIO_RUNTIME_MATRIX(ConnectTest);

}  // namespace
}  // namespace zokio::net
