// SPDX-License-Identifier: Apache-2.0

// Unix streams: descriptors that travel, who is at the other end, names, and a full backlog.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "../io/ops_fixture.h"
#include "temp_dir.h"
#include "zokio/net/unix_listener.h"
#include "zokio/net/unix_stream.h"

namespace zokio::net {
namespace {

using UnixTest = test::BufferTest;
using std::chrono::milliseconds;
using test::text_buffer;

Task<void> pass(std::string path) {
  auto name = UnixAddress::path(path);
  CO_ASSERT_OK(name);
  auto listener = UnixListener::bind(*name);
  CO_ASSERT_OK(listener);
  auto client = co_await UnixStream::connect(*name);
  CO_ASSERT_OK(client);
  auto server = co_await listener->accept();
  CO_ASSERT_OK(server);

  auto peer = server->peer_credentials();
  CO_ASSERT_OK(peer);
  EXPECT_EQ(peer->pid, getpid());
  EXPECT_EQ(peer->uid, getuid());
  EXPECT_EQ(peer->gid, getgid());

  int ends[2];
  CO_ASSERT(pipe2(ends, O_CLOEXEC) == 0);
  os::Fd in(ends[0]);
  os::Fd out(ends[1]);
  IoResult sent = co_await client->send_fds(text_buffer("here"), {in.get(), out.get()});
  CO_ASSERT_OK(sent.n);
  FdMessage got = co_await server->recv_fds(*mem::lease(64), 8);
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(as_text(got.buffer.bytes()), "here");
  EXPECT_FALSE(got.fds_truncated);
  CO_ASSERT(got.fds.size() == 2);
  CO_ASSERT(::write(got.fds[1].get(), "!", 1) == 1);
  char byte = 0;
  CO_ASSERT(::read(in.get(), &byte, 1) == 1);

  // Room for one, for none, and a read that wants none at all: nothing leaks (the fixture counts).
  for (const std::size_t room : {1u, 0u}) {
    sent = co_await client->send_fds(text_buffer("more"), {in.get(), out.get(), in.get()});
    CO_ASSERT_OK(sent.n);
    got = co_await server->recv_fds(std::move(got.buffer), room);
    CO_ASSERT_OK(got.n);
    EXPECT_EQ(got.fds.size(), room);
    EXPECT_TRUE(got.fds_truncated);
  }
  sent = co_await client->send_fds(text_buffer("plain"), {in.get()});
  CO_ASSERT_OK(sent.n);
  IoResult plain = co_await server->read_exactly(std::move(got.buffer), 5);
  CO_ASSERT_OK(plain.n);

  IoResult nothing = co_await client->send_fds(mem::Buffer(), {in.get()});
  EXPECT_EQ(nothing.n.error().code, Errc::InvalidArgument);
  IoResult bad = co_await client->send_fds(text_buffer("x"), {12345});
  EXPECT_EQ(bad.n.error().os_errno, EBADF);
  EXPECT_TRUE(client->shutdown_write().has_value());
  got = co_await server->recv_fds(*mem::lease(64), 8);
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(*got.n, 0u);
  EXPECT_TRUE(listener->close().has_value());
}

TEST_P(UnixTest, DescriptorsAndCredentials) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(pass, dir / "socket").has_value());
}

Task<Result<int>> exchange() {
  ZOKIO_CO_TRY(auto ends, UnixStream::pair());
  auto& [a, b] = ends;
  for (int i = 0; i < 20; ++i) {
    IoResult sent = co_await a.send_fds(text_buffer("with a descriptor"), {a.fd()});
    if (!sent.n.has_value()) co_return fail(sent.n.error());
    FdMessage got = co_await b.recv_fds(std::move(sent.buffer), 2);
    if (!got.n.has_value()) co_return fail(got.n.error());
    EXPECT_EQ(got.fds.size(), 1u);
    co_await yield_now();
  }
  FdMessage never = co_await b.recv_fds(*mem::lease(8), 2);
  co_return fail(never.n.error());
}

Task<void> cut_exchange() {
  unsigned ended = 0;
  unsigned cut = 0;
  co_await test::cancel_at_every_point([](unsigned) { return spawn(exchange); }, 150, &ended, &cut);
  EXPECT_EQ(cut, 150u);
}

TEST_P(UnixTest, CancelledAnywhereLeavesNoDescriptor) {
  ASSERT_TRUE(runtime_->block_on(cut_exchange).has_value());
}

Task<void> backlog(std::string name) {
  auto address = UnixAddress::abstract(name);
  CO_ASSERT_OK(address);
  auto listener = UnixListener::bind(*address, 1);
  CO_ASSERT_OK(listener);
  // The queue takes two; the third waits until one is accepted, and can be cut off.
  std::vector<UnixStream> clients;
  for (;;) {
    auto client = co_await with_timeout(UnixStream::connect(*address), milliseconds(30));
    if (!client.has_value()) {
      EXPECT_EQ(client.error().code, Errc::DeadlineExceeded);
      break;
    }
    clients.push_back(*std::move(client));
    CO_ASSERT(clients.size() < 10);
  }
  auto waiting = spawn(&UnixStream::connect, *address);
  for (std::size_t i = 0; i <= clients.size(); ++i) {
    auto server = co_await listener->accept();
    CO_ASSERT_OK(server);
  }
  auto connected = co_await waiting;
  CO_ASSERT_OK(connected);
  EXPECT_TRUE(listener->close().has_value());
  auto refused = co_await UnixStream::connect(*address);
  CO_ASSERT(!refused.has_value());
  EXPECT_EQ(refused.error().os_errno, ECONNREFUSED);
}

TEST_P(UnixTest, AFullBacklogMakesConnectWait) {
  const std::string name = "zokio-test-" + std::to_string(getpid());
  ASSERT_TRUE(runtime_->block_on(backlog, name).has_value());
}

TEST(UnixAddress, Names) {
  EXPECT_EQ(UnixAddress::path("/run/x")->to_string(), "/run/x");
  EXPECT_EQ(UnixAddress::abstract("x")->to_string(), "@x");
  EXPECT_EQ(UnixAddress().to_string(), "");
  EXPECT_TRUE(UnixAddress::path(std::string(107, 'x')).has_value());
  for (const std::string& bad : {std::string(), std::string(108, 'x'), std::string("a\0b", 3)}) {
    EXPECT_FALSE(UnixAddress::path(bad).has_value());
  }
  EXPECT_FALSE(UnixAddress::abstract("").has_value());
}

ZOKIO_RUNTIME_MATRIX(UnixTest);

}  // namespace
}  // namespace zokio::net
