// SPDX-License-Identifier: Apache-2.0

// What every byte stream gets: read_exactly, write_all, copy, buffered reading and writing. Over a
// stream of the test's own that hands out the bytes as it is told, so that every short transfer and
// every place of an error happens; and over sockets, with deadlines.

#include "zokio/io/stream.h"

#include <stop_token>
#include <vector>

#include "ops_fixture.h"
#include "zokio/io/buffered.h"
#include "zokio/io/copy.h"
#include "zokio/net/tcp_listener.h"
#include "zokio/net/tcp_stream.h"

namespace zokio::io {
namespace {

using StreamTest = test::BufferTest;
using std::chrono::milliseconds;
using test::pattern_text;
using test::text_buffer;

// Gives and takes at most `step` bytes at a time, and fails once, when `fails_at` bytes went over.
struct Scripted {
  std::string content;  // to read
  std::size_t step = 1;
  std::size_t fails_at = SIZE_MAX;
  std::size_t at = 0;
  std::string written{};

  bool fails() { return at >= fails_at ? (fails_at = SIZE_MAX, true) : false; }

  Task<IoResult> read(mem::Buffer buffer, std::size_t skip, std::size_t limit) {
    if (fails()) {
      co_return IoResult{.n = fail(Errc::Cancelled, "scripted"), .buffer = std::move(buffer)};
    }
    const std::size_t n =
        std::min({step, limit, buffer.capacity() - skip, content.size() - at, fails_at - at});
    std::memcpy(buffer.data() + skip, content.data() + at, n);
    at += n;
    buffer.resize(skip + n);
    co_return IoResult{.n = n, .buffer = std::move(buffer)};
  }
  Task<IoResult> write(mem::Buffer buffer, std::size_t skip) {
    if (fails()) {
      co_return IoResult{.n = fail(Errc::Cancelled, "scripted"), .buffer = std::move(buffer)};
    }
    const std::size_t n = std::min({step, buffer.size() - skip, fails_at - at});
    written.append(as_text(buffer.bytes().subspan(skip, n)));
    at += n;
    co_return IoResult{.n = n, .buffer = std::move(buffer)};
  }
};
static_assert(AsyncRead<Scripted> && AsyncWrite<Scripted>);
static_assert(AsyncRead<net::TcpStream> && AsyncWrite<net::TcpStream>);
static_assert(AsyncRead<BufferedReader<net::TcpStream>>);

Task<void> exact_reads() {
  const std::string text = pattern_text(40);
  for (std::size_t step = 1; step <= 41; ++step) {
    Scripted stream{.content = text, .step = step};
    IoResult got = co_await read_exactly(stream, *mem::lease(64), 25);
    CO_ASSERT_OK(got.n);
    EXPECT_EQ(as_text(got.buffer.bytes()), text.substr(0, 25));
    EXPECT_EQ(stream.at, 25u);  // not a byte more
    got = co_await read_exactly(stream, std::move(got.buffer), 20);
    CO_ASSERT(!got.n.has_value());
    EXPECT_EQ(got.n.error().detail, Detail::Eof);
    EXPECT_EQ(as_text(got.buffer.bytes()), text.substr(25));
  }
  // Cut at every place: called again with what is missing, it is as if nothing had been.
  for (std::size_t place = 0; place < 40; ++place) {
    Scripted stream{.content = text, .step = 7, .fails_at = place};
    IoResult got = co_await read_exactly(stream, *mem::lease(40), 40);
    CO_ASSERT(!got.n.has_value());
    const std::size_t have = got.buffer.size();
    EXPECT_EQ(have, place);
    got = co_await read_exactly(stream, std::move(got.buffer), 40 - have, have);
    CO_ASSERT_OK(got.n);
    EXPECT_EQ(as_text(got.buffer.bytes()), text);
  }
  Scripted any{.content = text};
  IoResult too_much = co_await read_exactly(any, *mem::lease(10), 11);
  EXPECT_EQ(too_much.n.error().code, Errc::InvalidArgument);
  EXPECT_EQ(too_much.buffer.capacity(), 10u);
}

TEST_P(StreamTest, ReadExactlyTakesEveryShortRead) {
  ASSERT_TRUE(runtime_->block_on(exact_reads).has_value());
}

Task<void> copies() {
  const std::string text = pattern_text(100);
  for (std::size_t step = 1; step < 30; ++step) {
    Scripted from{.content = text, .step = step};
    Scripted to{.content = "", .step = 31 - step};
    CopyResult all = co_await copy(from, to, *mem::lease(17));
    CO_ASSERT_OK(all.n);
    EXPECT_EQ(*all.n, 100u);
    EXPECT_EQ(to.written, text);
    EXPECT_EQ(all.buffer.capacity(), 17u);
  }
  // A writer or a reader that fails at any byte: what was read is written or in the buffer.
  for (std::size_t place = 0; place < 100; ++place) {
    for (const bool reader_fails : {false, true}) {
      Scripted from{.content = text, .step = 9, .fails_at = reader_fails ? place : SIZE_MAX};
      Scripted to{.content = "", .step = 4, .fails_at = reader_fails ? SIZE_MAX : place};
      CopyResult cut = co_await copy(from, to, *mem::lease(17));
      CO_ASSERT(!cut.n.has_value());
      EXPECT_EQ(cut.written, to.written.size());
      EXPECT_EQ(to.written + std::string(as_text(cut.unwritten())), text.substr(0, from.at));
    }
  }
  Scripted from{.content = text, .step = 9};
  Scripted to{.content = "", .step = 9};
  CopyResult some = co_await copy(from, to, *mem::lease(17), 50);
  EXPECT_EQ(*some.n, 50u);
  EXPECT_EQ(from.at, 50u);
  CopyResult nowhere = co_await copy(from, to, mem::Buffer());
  EXPECT_EQ(nowhere.n.error().code, Errc::InvalidArgument);
}

TEST_P(StreamTest, CopyLosesNothing) {
  ASSERT_TRUE(runtime_->block_on(copies).has_value());
}

Task<void> lines() {
  const std::string text = "one\ntwo\r\n\nfour without an end";
  for (std::size_t step = 1; step < 12; ++step) {
    for (std::size_t place = 0; place <= text.size(); ++place) {
      Scripted stream{.content = text, .step = step, .fails_at = place};
      BufferedReader reader(stream, *mem::lease(5));
      std::vector<std::string> got;
      unsigned failures = 0;
      for (;;) {
        auto line = co_await reader.next_line();
        if (!line.has_value()) {
          CO_ASSERT(++failures == 1);
          continue;
        }
        if (!line->has_value()) break;
        got.push_back(**line);
      }
      EXPECT_EQ(got, (std::vector<std::string>{"one", "two", "", "four without an end"}));
      EXPECT_EQ(failures, 1u);
    }
  }
  Scripted longer{.content = "0123456789\n", .step = 3};
  BufferedReader reader(longer, *mem::lease(4));
  auto refused = co_await reader.next_line(8);
  CO_ASSERT(!refused.has_value());
  EXPECT_EQ(refused.error().detail, Detail::Limit);
}

TEST_P(StreamTest, LinesSurviveEveryCut) {
  ASSERT_TRUE(runtime_->block_on(lines).has_value());
}

Task<void> header_and_body() {
  const std::string body = pattern_text(1000);
  Scripted stream{.content = "GET\r\n" + body, .step = 100};
  BufferedReader reader(stream, *mem::lease(64));
  auto line = co_await reader.next_line();
  CO_ASSERT_OK(line);
  EXPECT_EQ(**line, "GET");
  // The rest of the buffer first, then past it.
  IoResult got = co_await read_exactly(reader, *mem::lease(1000), 1000);
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(as_text(got.buffer.bytes()), body);
  auto end = co_await reader.next_line();
  CO_ASSERT_OK(end);
  EXPECT_FALSE(end->has_value());
}

TEST_P(StreamTest, ABufferedReaderIsAStream) {
  ASSERT_TRUE(runtime_->block_on(header_and_body).has_value());
}

Task<void> buffered_writes() {
  const std::string text = pattern_text(300);
  for (std::size_t place = 0; place < 300; ++place) {
    Scripted stream{.content = "", .step = 5, .fails_at = place};
    BufferedWriter writer(stream, *mem::lease(16));
    unsigned failures = 0;
    for (std::size_t at = 0; at < text.size();) {
      auto taken = co_await writer.write(std::string_view(text).substr(at, 6));
      // Six bytes fit into the buffer: all or none.
      if (taken.has_value())
        at += 6;
      else
        ++failures;
    }
    for (;;) {
      auto flushed = co_await writer.flush();
      if (flushed.has_value()) break;
      ++failures;
    }
    EXPECT_EQ(failures, 1u);
    EXPECT_EQ(stream.written, text);
    EXPECT_EQ(writer.pending(), 0u);
  }
  Scripted stream{.content = "", .step = 50};
  BufferedWriter writer(stream, *mem::lease(16));
  auto large = co_await writer.write(text);
  CO_ASSERT_OK(large);
  auto flushed = co_await writer.flush();
  CO_ASSERT_OK(flushed);
  EXPECT_EQ(stream.written, text);
}

TEST_P(StreamTest, ABufferedWriterGoesOnAfterACut) {
  ASSERT_TRUE(runtime_->block_on(buffered_writes).has_value());
}

struct Pair {
  net::TcpStream client;
  net::TcpStream server;
};

Task<Result<Pair>> make_pair() {
  ZOKIO_CO_TRY(net::TcpListener listener, net::TcpListener::bind(net::Address::loopback(0)));
  ZOKIO_CO_TRY(const net::Address address, listener.local_address());
  ZOKIO_CO_TRY(net::TcpStream client, co_await net::TcpStream::connect(address));
  ZOKIO_CO_TRY(net::TcpStream server, co_await listener.accept());
  co_return Pair{.client = std::move(client), .server = std::move(server)};
}

Task<void> deadlines() {
  auto pair = co_await make_pair();
  CO_ASSERT_OK(pair);
  IoResult sent = co_await pair->client.write_all(text_buffer("half a li"));
  CO_ASSERT_OK(sent.n);

  BufferedReader reader(pair->server, *mem::lease(4));
  auto late = co_await with_timeout(reader.next_line(), milliseconds(5));
  CO_ASSERT(!late.has_value());
  EXPECT_EQ(late.error().code, Errc::DeadlineExceeded);
  std::stop_source stop;
  stop.request_stop();
  auto stopped = co_await with_stop(reader.next_line(), stop.get_token());
  CO_ASSERT(!stopped.has_value());
  EXPECT_EQ(stopped.error().code, Errc::Cancelled);
  // The half line is still there.
  sent = co_await pair->client.write_all(text_buffer("ne\nmore"));
  CO_ASSERT_OK(sent.n);
  auto line = co_await reader.next_line();
  CO_ASSERT_OK(line);
  EXPECT_EQ(**line, "half a line");

  // A copy that is cut short by a deadline: its buffer and its count come back.
  auto cut =
      co_await with_timeout(copy(pair->client, pair->server, *mem::lease(32)), milliseconds(5));
  CO_ASSERT_OK(cut);
  EXPECT_EQ(cut->n.error().code, Errc::Cancelled);
  EXPECT_EQ(cut->buffer.capacity(), 32u);
  EXPECT_EQ(cut->written, 0u);
}

TEST_P(StreamTest, DeadlinesAndStops) {
  ASSERT_TRUE(runtime_->block_on(deadlines).has_value());
}

ZOKIO_RUNTIME_MATRIX(StreamTest);

}  // namespace
}  // namespace zokio::io
