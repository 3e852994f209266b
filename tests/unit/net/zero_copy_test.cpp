// SPDX-License-Identifier: Apache-2.0

// Sends out of the buffer itself: when they are used, what is counted, and that the buffer always
// comes back whole.

#include "io/zero_copy.h"

#include <sys/socket.h>

#include <cstring>
#include <vector>

#include "runtime_fixture.h"
#include "zokio/net/tcp_listener.h"

namespace zokio::net {
namespace {

using namespace std::chrono_literals;
using io::ZeroCopyPolicy;
using ZeroCopy = test::RuntimeTest;

constexpr std::size_t kLarge = 64 * 1024;

TEST(ZeroCopyPolicy, OnlyLargeOnesAndOnlyWhereItIs) {
  ZeroCopyPolicy none;
  EXPECT_FALSE(none.use(kLarge));
  EXPECT_NE(none.snapshot().off_reason, "");
  ZeroCopyPolicy policy;
  policy.enable();
  EXPECT_FALSE(policy.use(ZeroCopyPolicy::kLeastBytes - 1));
  EXPECT_TRUE(policy.use(ZeroCopyPolicy::kLeastBytes));
  EXPECT_EQ(policy.snapshot().off_reason, "");
  EXPECT_EQ(policy.snapshot().plain, 1u);
}

TEST(ZeroCopyPolicy, OffWhileMostAreCopiedAndTriedAgain) {
  ZeroCopyPolicy policy;
  policy.enable();
  for (uint64_t i = 0; i < ZeroCopyPolicy::kTrial; ++i) policy.sent(kLarge, i % 2 == 0);
  EXPECT_TRUE(policy.use(kLarge)) << "half of them is not most of them";
  for (uint64_t i = 0; i < ZeroCopyPolicy::kTrial; ++i) policy.sent(kLarge, i % 3 != 0);
  EXPECT_EQ(policy.snapshot().off_reason, "mostly copied");
  for (uint64_t i = 0; i < ZeroCopyPolicy::kOffFor; ++i) ASSERT_FALSE(policy.use(kLarge)) << i;
  EXPECT_TRUE(policy.use(kLarge));
  EXPECT_EQ(policy.snapshot().off_reason, "");
}

Task<Result<uint64_t>> send_all(TcpStream* stream, int rounds) {
  ZOKIO_CO_TRY(mem::Buffer buffer, mem::lease(kLarge));
  buffer.resize(kLarge);
  uint64_t calls = 0;
  for (int round = 0; round < rounds; ++round) {
    // Written anew each time: what the kernel still read would be seen by the other side.
    std::memset(buffer.data(), round, kLarge);
    for (std::size_t sent = 0; sent < kLarge;) {
      IoResult done = co_await stream->write_zero_copy(std::move(buffer), sent);
      ++calls;
      buffer = std::move(done.buffer);
      if (!done.n.has_value()) co_return fail(done.n.error());
      sent += *done.n;
    }
  }
  ZOKIO_CO_CHECKED(stream->shutdown_write());
  co_return calls;
}

Task<Result<uint64_t>> receive_all(TcpStream* stream) {
  ZOKIO_CO_TRY(mem::Buffer buffer, mem::lease(kLarge));
  uint64_t got = 0;
  while (true) {
    IoResult done = co_await stream->read(std::move(buffer));
    buffer = std::move(done.buffer);
    if (!done.n.has_value()) co_return fail(done.n.error());
    if (*done.n == 0) co_return got;
    for (std::size_t i = 0; i < *done.n; ++i)
      if (buffer.data()[i] != std::byte((got + i) / kLarge & 0xff))
        co_return fail(Errc::DataLoss, "bytes");
    got += *done.n;
  }
}

Task<Result<std::pair<TcpStream, TcpStream>>> connected() {
  ZOKIO_CO_TRY(TcpListener listener, TcpListener::bind(Address::loopback(0)));
  ZOKIO_CO_TRY(Address address, listener.local_address());
  ZOKIO_CO_TRY(TcpStream one, co_await TcpStream::connect(address));
  ZOKIO_CO_TRY(TcpStream other, co_await listener.accept());
  ZOKIO_CO_CHECKED(co_await listener.close());
  co_return std::pair(std::move(one), std::move(other));
}

Task<Result<uint64_t>> outcome_of(JoinHandle<Result<uint64_t>>* sender) {
  auto sent = co_await *sender;
  if (!sent.has_value()) co_return fail(sent.error());
  co_return *sent;
}

Task<IoResult> write_once(TcpStream* stream, mem::Buffer bytes) {
  co_return co_await stream->write_zero_copy(std::move(bytes));
}

// The size of the buffer that came back from the write that was cut.
Task<Result<std::size_t>> write_until_cut(TcpStream* stream) {
  ZOKIO_CO_TRY(mem::Buffer buffer, mem::lease(kLarge));
  buffer.resize(kLarge);
  while (true) {
    auto ended = co_await with_timeout(write_once(stream, std::move(buffer)), 50ms);
    if (!ended.has_value()) co_return fail(ended.error());
    if (!ended->buffer) co_return fail(Errc::Internal, "the buffer is lost");
    buffer = std::move(ended->buffer);
    if (ended->n.has_value()) continue;
    if (ended->n.error().code != Errc::Cancelled) co_return fail(ended->n.error());
    co_return buffer.size();
  }
}

TEST_P(ZeroCopy, EverythingArrivesAndIsCounted) {
  constexpr int kRounds = 200;
  auto pair = runtime_->block_on(connected);
  ASSERT_TRUE(pair.has_value()) << pair.error().to_string();
  auto& [one, other] = *pair;
  auto sender = runtime_->spawn(send_all, &one, kRounds);
  auto got = runtime_->block_on(receive_all, &other);
  ASSERT_TRUE(got.has_value()) << got.error().to_string();
  EXPECT_EQ(*got, kRounds * kLarge);
  auto calls = runtime_->block_on(outcome_of, &sender);
  ASSERT_TRUE(calls.has_value()) << calls.error().to_string();
  const ZeroCopySnapshot counts = runtime_->stats().io.zero_copy;
  // Each call is one or the other; one that the kernel refused was both asked and plain.
  EXPECT_EQ(counts.sends + counts.plain, *calls);
  if (GetParam().backend == Backend::Epoll) {
    EXPECT_EQ(counts.sends, 0u);
    EXPECT_NE(counts.off_reason, "");
  } else if (counts.refused == 0 && counts.sends != 0) {
    // Loopback copies each of them, which is found out with the first trial.
    EXPECT_EQ(counts.copied, counts.sends);
    EXPECT_LT(counts.sends, *calls);
    EXPECT_EQ(counts.off_reason, "mostly copied");
  }
}

// Nobody reads, so it waits in the middle of the transfer: a cancel gives the buffer back.
TEST_P(ZeroCopy, ACancelGivesTheBufferBack) {
  auto pair = runtime_->block_on(connected);
  ASSERT_TRUE(pair.has_value()) << pair.error().to_string();
  auto& [one, other] = *pair;
  auto cut = runtime_->block_on(write_until_cut, &one);
  ASSERT_TRUE(cut.has_value()) << cut.error().to_string();
  EXPECT_EQ(*cut, kLarge);
}

ZOKIO_RUNTIME_MATRIX(ZeroCopy);

}  // namespace
}  // namespace zokio::net
