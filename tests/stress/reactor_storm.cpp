// SPDX-License-Identifier: Apache-2.0
//
// Reactors 1 <-> 4 and rings 64 <-> 4096, every 100 ms, in place and by replacement, while 1,000
// clients want every byte of theirs back: not one may see an error. Receive buffers change, too.
// ZOKIO_REACTOR_STORM_SECONDS=n for longer; a hundred clients in each run of a few seconds.

#include <cstdlib>

#include "echo_clients.h"
#include "runtime_fixture.h"
#include "seed.h"
#include "zokio/net/tcp_listener.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;

// Every other connection holds a buffer while it waits.
Task<Result<void>> echo(net::TcpStream stream, bool holds_buffer) {
  mem::Buffer own;
  if (holds_buffer) {
    ZOKIO_CO_TRY(own, mem::lease(4096));
  }
  while (true) {
    if (holds_buffer) {
      IoResult got = co_await stream.read(std::move(own));
      if (!got.n.has_value()) co_return fail(got.n.error());
      if (*got.n == 0) break;
      own = std::move(got.buffer);
    } else {
      ZOKIO_CO_TRY(own, co_await stream.receive());
      if (own.size() == 0) break;
    }
    IoResult sent = co_await stream.write_all(std::move(own));
    if (!sent.n.has_value()) co_return fail(sent.n.error());
    own = std::move(sent.buffer);
  }
  co_return co_await stream.close();
}

Task<void> serve_one(net::TcpStream stream, bool holds_buffer) {
  const auto ended = co_await echo(std::move(stream), holds_buffer);
  if (!ended.has_value())
    ADD_FAILURE() << "connection " << (holds_buffer ? "with" : "without")
                  << " a buffer: " << ended.error().to_string();
}

Task<Result<void>> serve(net::TcpListener* listener) {
  for (bool holds_buffer = false;; holds_buffer = !holds_buffer) {
    auto stream = co_await listener->accept();
    if (!stream.has_value()) co_return fail(stream.error());
    spawn(serve_one, *std::move(stream), holds_buffer).detach();
  }
}

// What a storm has done.
struct Figures {
  uint64_t resizes = 0;
  uint64_t in_place = 0;
  uint64_t replaced = 0;
  uint64_t moved = 0;
  Duration longest{};

  void add(const ResizeReport& report) {
    ++resizes;
    moved += report.reissued_ops;
    longest = std::max(longest, report.took);
  }
};

class ReactorStorm : public test::RuntimeTest {
 protected:
  // One step: the reactors one way, the rings the other.
  void step(uint64_t i, Figures& figures) {
    const bool large = i % 2 == 0;
    const unsigned reactors = large ? 4 : 1;
    auto report = runtime_->resize_reactors_blocking(reactors);
    ASSERT_TRUE(report.has_value()) << report.error().to_string();
    EXPECT_EQ(report->reached, reactors);
    figures.add(*report);
    const unsigned entries = large ? 4096 : 64;
    const RingChange how = i % 4 < 2 ? RingChange::InPlace : RingChange::Replace;
    report = runtime_->resize_rings_blocking(entries, how);
    ASSERT_TRUE(report.has_value()) << report.error().to_string();
    figures.add(*report);
    if (i % 5 == 0) {
      report = runtime_->resize_receive_buffers_blocking(large ? 1024 : 32);
      // Refused while the set before is still picked from.
      if (report.has_value()) figures.add(*report);
    }
    for (const ReactorSnapshot& reactor : runtime_->stats().io.reactors) {
      if (reactor.state != ReactorState::Active || GetParam().backend == Backend::Epoll) continue;
      EXPECT_EQ(reactor.ring_entries, entries);
    }
  }
};

TEST_P(ReactorStorm, NoClientSeesAnError) {
  ZOKIO_SEED_TRACE();
  const char* text = std::getenv("ZOKIO_REACTOR_STORM_SECONDS");
  const unsigned seconds = text != nullptr ? static_cast<unsigned>(std::atoi(text)) : 3;
  // Two descriptors for each client, and some.
  const unsigned clients = text != nullptr ? 1000 : 200;
  ASSERT_GE(test::raise_fd_limit(), clients * 2 + 100);

  auto listener = net::TcpListener::bind(net::Address::loopback(0), {.backlog = 1024});
  ASSERT_TRUE(listener.has_value());
  auto server = runtime_->spawn(serve, &*listener);
  test::EchoClients load(
      {.port = listener->local_address()->port(), .clients = clients, .seed = test::test_seed()});

  Figures figures;
  const Instant begin = Instant::now();
  const Instant end = begin + std::chrono::seconds(seconds);
  Instant next = begin;
  for (uint64_t i = 0; Instant::now() < end && load.errors() == 0; ++i) {
    step(i, figures);
    if (HasFailure()) break;
    // The pace of the storm, not a wait for anything.
    next = next + 100ms;
    std::this_thread::sleep_for(next - Instant::now());
  }
  load.stop();
  EXPECT_EQ(load.errors(), 0u) << load.first_error();
  EXPECT_GT(load.round_trips(), clients);
  for (const ReactorSnapshot& reactor : runtime_->stats().io.reactors) {
    figures.in_place += reactor.rings_resized;
    figures.replaced += reactor.rings_replaced;
  }
  if (GetParam().backend == Backend::Uring) EXPECT_GT(figures.replaced, 0u);
  std::printf(
      "%u clients, %llu round trips, %llu resizes (%llu rings in place, %llu replaced), "
      "%llu operations moved, longest resize %lld us\n",
      clients, static_cast<unsigned long long>(load.round_trips()),
      static_cast<unsigned long long>(figures.resizes),
      static_cast<unsigned long long>(figures.in_place),
      static_cast<unsigned long long>(figures.replaced),
      static_cast<unsigned long long>(figures.moved),
      static_cast<long long>(figures.longest.count() / 1000));
  server.cancel();
  ASSERT_TRUE(runtime_->shutdown(60s));
}

INSTANTIATE_TEST_SUITE_P(Matrix, ReactorStorm,
                         testing::Values(test::RuntimeParam{4, Backend::Uring},
                                         test::RuntimeParam{2, Backend::Epoll}),
                         test::param_name);

}  // namespace
}  // namespace zokio
