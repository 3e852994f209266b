// SPDX-License-Identifier: Apache-2.0

// Chains over TCP: all pieces arrive in order however the socket cuts them, and what was not sent
// comes back.

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "coroutine_asserts.h"
#include "runtime_fixture.h"
#include "temp_dir.h"
#include "zokio/fs/mapped_file.h"
#include "zokio/net/tcp_listener.h"
#include "zokio/net/tcp_stream.h"

namespace zokio::net {
namespace {

using ChainTest = test::RuntimeTest;

char byte_at(std::size_t i) {
  return static_cast<char>(i * 131 + i / 251);
}

// `slices` pieces of 1 to 2,000 bytes.
Result<mem::BufferChain> make_chain(std::size_t slices) {
  mem::BufferChain chain;
  for (std::size_t i = 0; i < slices; ++i) {
    ZOKIO_TRY(auto piece, mem::SharedBuffer::make(1 + i * 7919 % 2000));
    for (std::byte& b : piece.writable()) {
      const auto at = static_cast<std::size_t>(&b - piece.writable().data());
      b = static_cast<std::byte>(byte_at(chain.size() + at));
    }
    ZOKIO_CHECKED(chain.append(std::move(piece)));
  }
  return chain;
}

// Counts what comes until the end of the stream; -1: a byte was wrong.
Task<int64_t> receive(TcpStream stream) {
  std::size_t total = 0;
  mem::Buffer buffer = *mem::lease(3000);
  for (;;) {
    IoResult got = co_await stream.read(std::move(buffer));
    if (!got.n.has_value()) co_return -1;
    if (*got.n == 0) co_return static_cast<int64_t>(total);
    for (std::byte b : got.buffer.bytes())
      if (static_cast<char>(b) != byte_at(total++)) co_return -1;
    buffer = std::move(got.buffer);
  }
}

struct Pair {
  TcpStream client;
  TcpStream server;
};

Task<Result<Pair>> make_pair() {
  ZOKIO_CO_TRY(TcpListener listener, TcpListener::bind(Address::loopback(0)));
  ZOKIO_CO_TRY(Address address, listener.local_address());
  Pair pair;
  ZOKIO_CO_TRY(pair.client, co_await TcpStream::connect(address));
  ZOKIO_CO_TRY(pair.server, co_await listener.accept());
  co_return pair;
}

Task<void> send_chain(std::size_t slices) {
  auto pair = co_await make_pair();
  CO_ASSERT_OK(pair);
  auto chain = make_chain(slices);
  CO_ASSERT_OK(chain);
  const std::size_t size = chain->size();
  auto receiver = spawn(receive, std::move(pair->server));
  ChainResult sent = co_await pair->client.write_all(*std::move(chain));
  CO_ASSERT_OK(sent.n);
  EXPECT_EQ(*sent.n, size);
  EXPECT_TRUE(sent.rest.empty());
  CO_ASSERT_OK(pair->client.shutdown_write());
  auto received = co_await receiver;
  CO_ASSERT_OK(received);
  EXPECT_EQ(*received, static_cast<int64_t>(size));
}

TEST_P(ChainTest, ArrivesInOrder) {
  for (std::size_t slices : {0u, 1u, 64u, 65u, 3000u})
    ASSERT_TRUE(runtime_->block_on(send_chain, slices).has_value()) << slices;
}

Task<ChainResult> send_to(TcpStream* stream, mem::BufferChain chain) {
  co_return co_await stream->write_all(std::move(chain));
}

// Nobody reads: the socket fills up, and the send is cancelled in the middle.
Task<void> cancel_send() {
  auto pair = co_await make_pair();
  CO_ASSERT_OK(pair);
  auto chain = make_chain(20'000);
  CO_ASSERT_OK(chain);
  const std::size_t size = chain->size();
  auto sender = spawn(send_to, &pair->client, *std::move(chain));
  // Something has arrived, so it is under way; it cannot end before somebody reads.
  IoResult first = co_await pair->server.read(*mem::lease(1));
  CO_ASSERT_OK(first.n);
  sender.cancel();
  auto sent = co_await sender;
  CO_ASSERT_OK(sent);
  CO_ASSERT(!sent->n.has_value());
  EXPECT_EQ(sent->n.error().code, Errc::Cancelled);
  CO_ASSERT_OK(pair->client.shutdown_write());
  // What arrives and what came back are the whole.
  std::size_t arrived = 1;
  mem::Buffer buffer = *mem::lease(60'000);
  for (;;) {
    IoResult got = co_await pair->server.read(std::move(buffer));
    CO_ASSERT_OK(got.n);
    if (*got.n == 0) break;
    arrived += *got.n;
    buffer = std::move(got.buffer);
  }
  EXPECT_EQ(arrived + sent->rest.size(), size);
  EXPECT_EQ(static_cast<char>(*sent->rest.begin()->data()), byte_at(arrived));
}

TEST_P(ChainTest, ACancelledSendGivesTheRestBack) {
  ASSERT_TRUE(runtime_->block_on(cancel_send).has_value());
}

Task<void> send_to_closed() {
  auto pair = co_await make_pair();
  CO_ASSERT_OK(pair);
  CO_ASSERT_OK(pair->client.shutdown_write());
  auto chain = make_chain(3);
  CO_ASSERT_OK(chain);
  const std::size_t size = chain->size();
  ChainResult sent = co_await pair->client.write_all(*std::move(chain));
  CO_ASSERT(!sent.n.has_value());
  EXPECT_EQ(sent.n.error().os_errno, EPIPE);
  EXPECT_EQ(sent.rest.size(), size);
}

TEST_P(ChainTest, AnErrorGivesTheRestBack) {
  ASSERT_TRUE(runtime_->block_on(send_to_closed).has_value());
}

// A file served with a header: the file's bytes go from its pages to the socket, and nothing in
// this process copies them.
Task<void> serve_file(std::string path) {
  constexpr std::size_t kBody = 300'000;
  constexpr std::string_view kHeader = "200 OK\r\n\r\n";
  auto file = co_await fs::File::open(path, {.read = true, .write = true, .create = true});
  CO_ASSERT_OK(file);
  auto body = make_chain(400);
  CO_ASSERT_OK(body);
  body->consume(body->size() - kBody);
  mem::BufferChain content = *body->share();
  CO_ASSERT_OK((co_await file->write_all_at(*std::move(body), 0)).n);

  const uint64_t before = mem::copied_bytes();
  auto map = fs::MappedFile::map(*file);
  CO_ASSERT_OK(map);
  CO_ASSERT_OK(co_await map->populate());
  mem::BufferChain reply;
  CO_ASSERT_OK(reply.append(mem::SharedBuffer::of_static(as_bytes(kHeader))));
  auto pages = fs::MappedFile::share(*std::move(map));
  CO_ASSERT_OK(pages);
  CO_ASSERT_OK(reply.append(*std::move(pages)));
  auto pair = co_await make_pair();
  CO_ASSERT_OK(pair);
  auto sender = spawn(send_to, &pair->client, std::move(reply));
  IoResult got = co_await pair->server.read_exactly(*mem::lease(kHeader.size() + kBody),
                                                    kHeader.size() + kBody);
  CO_ASSERT_OK(got.n);
  auto sent = co_await sender;
  CO_ASSERT_OK(sent);
  CO_ASSERT_OK(sent->n);
  EXPECT_EQ(mem::copied_bytes(), before);
  EXPECT_EQ(as_text(got.buffer.bytes().first(kHeader.size())), kHeader);
  std::string expected(kBody, '\0');
  EXPECT_EQ(content.copy_out(std::as_writable_bytes(std::span(expected))), kBody);
  EXPECT_EQ(as_text(got.buffer.bytes().subspan(kHeader.size())), expected);
  EXPECT_EQ(mem::copied_bytes(), before + kBody);  // that of this test
}

TEST_P(ChainTest, AFileIsServedWithoutACopy) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(serve_file, dir / "f").has_value());
}

ZOKIO_RUNTIME_MATRIX(ChainTest);

}  // namespace
}  // namespace zokio::net
