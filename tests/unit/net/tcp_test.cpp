// SPDX-License-Identifier: Apache-2.0

// TCP on both backends: content, ends, cancellation, and reactors that come and go underneath.

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "coroutine_asserts.h"
#include "runtime_fixture.h"
#include "zokio/net/tcp_listener.h"
#include "zokio/net/tcp_stream.h"

namespace zokio::net {
namespace {

using TcpTest = test::RuntimeTest;
using std::chrono::milliseconds;

mem::Buffer text_buffer(std::string_view text) {
  mem::Buffer buffer = *mem::lease(text.size());
  std::memcpy(buffer.data(), text.data(), text.size());
  buffer.resize(text.size());
  return buffer;
}

// Returns what came until the end of the stream. The stream is the task's.
Task<uint64_t> echo_until_end(TcpStream stream) {
  uint64_t total = 0;
  mem::Buffer buffer = *mem::lease(4096);
  for (;;) {
    IoResult got = co_await stream.read(std::move(buffer));
    if (!got.n.has_value() || *got.n == 0) co_return total;
    total += *got.n;
    IoResult sent = co_await stream.write_all(std::move(got.buffer));
    if (!sent.n.has_value()) co_return total;
    buffer = std::move(sent.buffer);
  }
}

Task<uint64_t> serve(std::shared_ptr<TcpListener> listener, unsigned connections) {
  std::vector<JoinHandle<uint64_t>> handles;
  for (unsigned i = 0; i < connections; ++i) {
    auto stream = co_await listener->accept();
    if (!stream.has_value()) {
      ADD_FAILURE() << stream.error().to_string();
      break;
    }
    handles.push_back(spawn(echo_until_end, *std::move(stream)));
  }
  uint64_t total = 0;
  for (auto& handle : handles) {
    auto bytes = co_await handle;
    if (bytes.has_value()) total += *bytes;
  }
  co_return total;
}

// Sends `messages` messages, each checked when it comes back.
Task<Result<void>> converse(Address address, unsigned id, unsigned messages, std::size_t size) {
  ZOKIO_CO_TRY(TcpStream stream, co_await TcpStream::connect(address));
  for (unsigned i = 0; i < messages; ++i) {
    std::string text(size, '\0');
    for (std::size_t k = 0; k < size; ++k) text[k] = static_cast<char>(id * 31 + i * 7 + k);
    IoResult sent = co_await stream.write_all(text_buffer(text));
    if (!sent.n.has_value()) co_return fail(sent.n.error());
    IoResult got = co_await stream.read_exactly(std::move(sent.buffer), size);
    if (!got.n.has_value()) co_return fail(got.n.error());
    if (as_text(got.buffer.bytes()) != text) co_return fail(Errc::DataLoss, "echo");
  }
  ZOKIO_CO_CHECKED(stream.shutdown_write());
  IoResult end = co_await stream.read(*mem::lease(16));
  if (!end.n.has_value()) co_return fail(end.n.error());
  if (*end.n != 0) co_return fail(Errc::DataLoss, "end");
  co_return co_await stream.close();
}

Task<void> echo_storm(unsigned connections, unsigned messages, std::size_t size) {
  auto bound = TcpListener::bind(Address::loopback(0));
  CO_ASSERT_OK(bound);
  auto listener = std::make_shared<TcpListener>(*std::move(bound));
  auto address = listener->local_address();
  CO_ASSERT_OK(address);
  auto server = spawn(serve, listener, connections);
  std::vector<JoinHandle<Result<void>>> clients;
  for (unsigned i = 0; i < connections; ++i) {
    clients.push_back(spawn(converse, *address, i, messages, size));
  }
  unsigned failed = 0;
  for (auto& client : clients) {
    auto outcome = co_await client;
    if (!outcome.has_value()) {
      if (failed++ == 0) ADD_FAILURE() << outcome.error().to_string();
    }
  }
  auto total = co_await server;
  CO_ASSERT_OK(total);
  EXPECT_EQ(*total, uint64_t{connections} * messages * size);
  auto closed = co_await listener->close();
  CO_ASSERT_OK(closed);
}

TEST_P(TcpTest, EchoOverManyConnections) {
  ASSERT_TRUE(runtime_->block_on(echo_storm, 200u, 20u, std::size_t{700}).has_value());
}

TEST_P(TcpTest, EchoOfMoreThanTheSocketBuffers) {
  ASSERT_TRUE(runtime_->block_on(echo_storm, 1u, 1u, std::size_t{100'000}).has_value());
}

Task<void> refused() {
  auto bound = TcpListener::bind(Address::loopback(0));
  CO_ASSERT_OK(bound);
  auto address = bound->local_address();
  CO_ASSERT_OK(address);
  auto second = TcpListener::bind(*address);
  CO_ASSERT(!second.has_value());
  EXPECT_EQ(second.error().code, Errc::AlreadyExists);
  auto closed = co_await bound->close();
  CO_ASSERT_OK(closed);
  auto stream = co_await TcpStream::connect(*address);
  CO_ASSERT(!stream.has_value());
  EXPECT_EQ(stream.error().os_errno, ECONNREFUSED);
  EXPECT_EQ(stream.error().code, Errc::Unavailable);
}

TEST_P(TcpTest, ConnectToNobody) {
  ASSERT_TRUE(runtime_->block_on(refused).has_value());
}

struct Pair {
  TcpStream client;
  TcpStream server;
};

Task<Result<Pair>> make_pair() {
  ZOKIO_CO_TRY(TcpListener listener, TcpListener::bind(Address::loopback(0)));
  ZOKIO_CO_TRY(const Address address, listener.local_address());
  auto connecting = spawn(&TcpStream::connect, address);
  ZOKIO_CO_TRY(TcpStream server, co_await listener.accept());
  auto client = co_await connecting;
  if (!client.has_value()) co_return fail(client.error());
  co_return Pair{.client = *std::move(client), .server = std::move(server)};
}

Task<void> early_end() {
  auto pair = co_await make_pair();
  CO_ASSERT_OK(pair);
  IoResult sent = co_await pair->client.write_all(text_buffer("abc"));
  CO_ASSERT_OK(sent.n);
  auto shut = pair->client.shutdown_write();
  CO_ASSERT_OK(shut);
  IoResult got = co_await pair->server.read_exactly(*mem::lease(10), 10);
  CO_ASSERT(!got.n.has_value());
  EXPECT_EQ(got.n.error().detail, Detail::Eof);
  EXPECT_EQ(as_text(got.buffer.bytes()), "abc");
  // The other side is gone: the second write at the latest says so.
  auto closed = co_await pair->client.close();
  CO_ASSERT_OK(closed);
  Error last;
  for (int i = 0; i < 1000 && last.os_errno == 0; ++i) {
    IoResult write = co_await pair->server.write(text_buffer("x"));
    if (!write.n.has_value()) last = write.n.error();
  }
  EXPECT_TRUE(last.os_errno == EPIPE || last.os_errno == ECONNRESET) << last.to_string();
}

TEST_P(TcpTest, StreamsThatEndEarly) {
  ASSERT_TRUE(runtime_->block_on(early_end).has_value());
}

// The stream goes on working after a wait on it was cut short, and the buffer is the same one.
Task<void> cancelled_reads(int rounds) {
  auto pair = co_await make_pair();
  CO_ASSERT_OK(pair);
  mem::Buffer buffer = *mem::lease(512);
  const std::byte* const memory = buffer.data();
  for (int i = 0; i < rounds; ++i) {
    struct Reader {
      static Task<Result<IoResult>> read(TcpStream* stream, mem::Buffer into) {
        co_return co_await stream->read(std::move(into));
      }
    };
    auto reader = spawn(&Reader::read, &pair->server, std::move(buffer));
    if (i % 3 != 0) co_await sleep(milliseconds(i % 3 - 1));
    reader.cancel();
    auto outcome = co_await reader;
    CO_ASSERT_OK(outcome);
    CO_ASSERT(!outcome->n.has_value());
    EXPECT_EQ(outcome->n.error().code, Errc::Cancelled);
    buffer = std::move(outcome->buffer);
    CO_ASSERT(buffer.data() == memory);
  }
  IoResult sent = co_await pair->client.write_all(text_buffer("still here"));
  CO_ASSERT_OK(sent.n);
  IoResult got = co_await pair->server.read_exactly(std::move(buffer), 10);
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(as_text(got.buffer.bytes()), "still here");
}

TEST_P(TcpTest, ACancelledReadGivesItsBufferBackAndLosesNothing) {
  ASSERT_TRUE(runtime_->block_on(cancelled_reads, 60).has_value());
}

Task<void> timeouts() {
  auto bound = TcpListener::bind(Address::loopback(0));
  CO_ASSERT_OK(bound);
  auto nobody = co_await with_timeout(bound->accept(), milliseconds(5));
  CO_ASSERT(!nobody.has_value());
  EXPECT_EQ(nobody.error().code, Errc::DeadlineExceeded);

  auto address = bound->local_address();
  CO_ASSERT_OK(address);
  auto connecting = spawn(&TcpStream::connect, *address);
  auto server = co_await with_timeout(bound->accept(), std::chrono::seconds(30));
  CO_ASSERT_OK(server);
  auto client = co_await connecting;
  CO_ASSERT_OK(client);
  auto silent = co_await with_timeout(server->read(*mem::lease(64)), milliseconds(5));
  CO_ASSERT_OK(silent);  // an IoResult carries its own error
  CO_ASSERT(!silent->n.has_value());
  EXPECT_EQ(silent->n.error().code, Errc::Cancelled);
  EXPECT_EQ(silent->buffer.capacity(), 64u);
}

TEST_P(TcpTest, TimeoutWhileAcceptAndReadWait) {
  ASSERT_TRUE(runtime_->block_on(timeouts).has_value());
}

// Completion and cancel race: whatever wins, the bytes are either in the buffer or still to come.
Task<void> racing_cancels(int rounds) {
  auto pair = co_await make_pair();
  CO_ASSERT_OK(pair);
  struct Reader {
    static Task<Result<IoResult>> read(TcpStream* stream) {
      co_return co_await stream->read(*mem::lease(1));
    }
  };
  uint64_t received = 0;
  for (int i = 0; i < rounds; ++i) {
    auto reader = spawn(&Reader::read, &pair->server);
    IoResult sent = co_await pair->client.write(text_buffer("x"));
    CO_ASSERT_OK(sent.n);
    reader.cancel();
    auto outcome = co_await reader;
    CO_ASSERT_OK(outcome);
    if (outcome->n.has_value())
      received += *outcome->n;
    else
      CO_ASSERT(outcome->n.error().code == Errc::Cancelled);
  }
  const uint64_t left = static_cast<uint64_t>(rounds) - received;
  if (left > 0) {
    IoResult rest = co_await pair->server.read_exactly(*mem::lease(left), left);
    CO_ASSERT_OK(rest.n);
  }
}

TEST_P(TcpTest, CancelRacingWithACompletionLosesNoByte) {
  ASSERT_TRUE(runtime_->block_on(racing_cancels, 500).has_value());
}

struct Echoes {
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> exchanged{0};
};

Task<Result<void>> converse_until(Address address, unsigned id, std::shared_ptr<Echoes> echoes) {
  ZOKIO_CO_TRY(TcpStream stream, co_await TcpStream::connect(address));
  std::string text(64, static_cast<char>('a' + id % 26));
  while (!echoes->stop.load(std::memory_order_relaxed)) {
    IoResult sent = co_await stream.write_all(text_buffer(text));
    if (!sent.n.has_value()) co_return fail(sent.n.error());
    IoResult got = co_await stream.read_exactly(std::move(sent.buffer), text.size());
    if (!got.n.has_value()) co_return fail(got.n.error());
    if (as_text(got.buffer.bytes()) != text) co_return fail(Errc::DataLoss, "echo");
    echoes->exchanged.fetch_add(1, std::memory_order_relaxed);
    // Most connections are idle most of the time: their servers wait in read.
    co_await sleep(milliseconds(id % 20));
  }
  ZOKIO_CO_CHECKED(stream.shutdown_write());
  co_return Result<void>();
}

// Everything that waits moves when reactors go; nobody notices.
TEST_P(TcpTest, ReactorsComeAndGoUnderOpenConnections) {
  constexpr unsigned kConnections = 200;
  auto bound = TcpListener::bind(Address::loopback(0));
  ASSERT_TRUE(bound.has_value());
  auto listener = std::make_shared<TcpListener>(*std::move(bound));
  const Address address = *listener->local_address();
  auto echoes = std::make_shared<Echoes>();
  auto server = runtime_->spawn(serve, listener, kConnections);
  std::vector<JoinHandle<Result<void>>> clients;
  for (unsigned i = 0; i < kConnections; ++i) {
    clients.push_back(runtime_->spawn(converse_until, address, i, echoes));
  }
  uint64_t moved = 0;
  for (unsigned round = 0; round < 12; ++round) {
    const uint64_t before = echoes->exchanged.load();
    EXPECT_TRUE(test::eventually([&] { return echoes->exchanged.load() >= before + 100; }));
    auto report = runtime_->resize_reactors_blocking(1 + (round * 2 + 1) % 4);
    ASSERT_TRUE(report.has_value()) << report.error().to_string();
    EXPECT_EQ(report->reached, 1 + (round * 2 + 1) % 4);
    moved += report->reissued_ops;
  }
  // Down to one: all that waited on the others have gone through a move by now.
  auto last = runtime_->resize_reactors_blocking(1);
  ASSERT_TRUE(last.has_value());
  moved += last->reissued_ops;
  // With one worker all of it is on the reactor of that worker, which stays.
  EXPECT_EQ(moved > 0, GetParam().workers > 1);

  echoes->stop = true;
  struct Joiner {
    static Task<unsigned> join(std::vector<JoinHandle<Result<void>>>* handles) {
      unsigned failed = 0;
      for (auto& handle : *handles) {
        auto outcome = co_await handle;
        if (!outcome.has_value() && failed++ == 0) ADD_FAILURE() << outcome.error().to_string();
      }
      co_return failed;
    }
    static Task<Result<uint64_t>> join_server(JoinHandle<uint64_t>* handle) {
      co_return co_await *handle;
    }
  };
  EXPECT_EQ(*runtime_->block_on(&Joiner::join, &clients), 0u);
  auto total = runtime_->block_on(&Joiner::join_server, &server);
  ASSERT_TRUE(total.has_value());
  EXPECT_EQ(*total, echoes->exchanged.load() * 64);
  for (const IoOpSnapshot& op : runtime_->stats().io.ops) EXPECT_EQ(op.error, 0u) << op.op;
}

TEST(TcpDedicated, ReactorsOnThreadsOfTheirOwn) {
  for (const Backend backend : {Backend::Auto, Backend::Epoll}) {
    RuntimeOptions options;
    options.workers = 2;
    options.reactors = 2;
    options.backend = backend;
    options.placement = Placement::Dedicated;
    auto runtime = Runtime::create(options);
    ASSERT_TRUE(runtime.has_value()) << runtime.error().to_string();
    ASSERT_TRUE((*runtime)->block_on(echo_storm, 50u, 20u, std::size_t{700}).has_value());
    uint64_t remote = 0;
    for (const ReactorSnapshot& reactor : (*runtime)->stats().io.reactors) {
      remote += reactor.remote_ops;
      EXPECT_EQ(reactor.submissions, reactor.remote_ops);
    }
    EXPECT_GT(remote, 50u * 20);
    EXPECT_TRUE((*runtime)->shutdown(std::chrono::seconds(60)));
  }
}

TEST(Address, Text) {
  EXPECT_EQ(Address::parse("127.0.0.1:80")->to_string(), "127.0.0.1:80");
  EXPECT_EQ(Address::parse("[::1]:65535")->to_string(), "[::1]:65535");
  EXPECT_EQ(Address::parse("[::1]:65535")->port(), 65535);
  for (const char* bad : {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "host:80",
                          "::1:80", "[::1:80", "127.0.0.1:-1", "127.0.0.1:8x"}) {
    EXPECT_FALSE(Address::parse(bad).has_value()) << bad;
  }
}

ZOKIO_RUNTIME_MATRIX(TcpTest);

}  // namespace
}  // namespace zokio::net
