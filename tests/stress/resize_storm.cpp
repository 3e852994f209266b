// SPDX-License-Identifier: Apache-2.0
//
// 500 random resizes of workers, reactors and pool caps while TCP connections, files, child
// processes, timers and cancels are under way. Every byte is checked; every started piece of work
// is accounted for; no figure goes backwards. ZOKIO_STORM_RESIZES=n for more or fewer.

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "base/rng.h"
#include "runtime_fixture.h"
#include "seed.h"
#include "temp_dir.h"
#include "zokio/fs/dir.h"
#include "zokio/fs/file.h"
#include "zokio/net/tcp_listener.h"
#include "zokio/process/command.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;

struct Storm {
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> started{0};
  std::atomic<uint64_t> ended{0};
  std::atomic<uint64_t> wrong{0};
  std::string dir;
  net::Address server = net::Address::loopback(0);

  // A piece of work: counted at both ends, and `ok` is the truth about its content.
  void begin() { started.fetch_add(1, std::memory_order_relaxed); }
  void end(bool ok) {
    if (!ok) wrong.fetch_add(1, std::memory_order_relaxed);
    ended.fetch_add(1, std::memory_order_relaxed);
  }
  bool stopping() const { return stop.load(std::memory_order_relaxed); }
};

void fill(mem::Buffer& buffer, uint64_t seed) {
  Rng rng(seed);
  for (size_t i = 0; i < buffer.capacity(); ++i) buffer.data()[i] = std::byte(rng.next() >> 56);
  buffer.resize(buffer.capacity());
}
bool is_filled(const mem::Buffer& buffer, uint64_t seed) {
  Rng rng(seed);
  for (size_t i = 0; i < buffer.size(); ++i)
    if (buffer.data()[i] != std::byte(rng.next() >> 56)) return false;
  return true;
}

// A cap below what is asked for is part of the storm: try again a little later.
Task<Result<mem::Buffer>> lease_in_time(size_t bytes) {
  while (true) {
    Result<mem::Buffer> buffer = mem::lease(bytes);
    if (buffer.has_value()) co_return std::move(buffer);
    if (buffer.error().code != Errc::ResourceExhausted) co_return std::move(buffer);
    ZOKIO_CO_CHECKED(co_await sleep(1ms));
  }
}

Task<Result<void>> serve_one(net::TcpStream stream) {
  while (true) {
    ZOKIO_CO_TRY(mem::Buffer buffer, co_await lease_in_time(4096));
    IoResult got = co_await stream.read(std::move(buffer));
    if (!got.n.has_value()) co_return fail(got.n.error());
    if (*got.n == 0) co_return co_await stream.close();
    IoResult sent = co_await stream.write_all(std::move(got.buffer));
    if (!sent.n.has_value()) co_return fail(sent.n.error());
  }
}

Task<Result<void>> serve(net::TcpListener* listener) {
  while (true) {
    auto stream = co_await listener->accept();
    if (!stream.has_value()) {
      if (stream.error().code == Errc::Cancelled) co_return fail(stream.error());
      continue;
    }
    spawn(serve_one, *std::move(stream)).detach();
  }
}

Task<Result<bool>> echo_rounds(Storm* storm, uint64_t seed) {
  Rng rng(seed);
  ZOKIO_CO_TRY(net::TcpStream stream, co_await net::TcpStream::connect(storm->server));
  for (uint32_t i = 1 + rng.below(8); i > 0; --i) {
    const uint64_t content = rng.next();
    const size_t size = 1 + rng.below(4096);
    ZOKIO_CO_TRY(mem::Buffer out, co_await lease_in_time(size));
    fill(out, content);
    IoResult sent = co_await stream.write_all(std::move(out));
    if (!sent.n.has_value()) co_return fail(sent.n.error());
    // Silence on an open connection, so that a read is waiting when a reactor retires.
    if (rng.below(4) == 0)
      ZOKIO_CO_CHECKED(co_await sleep(std::chrono::microseconds(rng.below(3000))));
    ZOKIO_CO_TRY(mem::Buffer in, co_await lease_in_time(size));
    IoResult got = co_await stream.read_exactly(std::move(in), size);
    if (!got.n.has_value()) co_return fail(got.n.error());
    if (!is_filled(got.buffer, content)) co_return false;
  }
  ZOKIO_CO_CHECKED(co_await stream.close());
  co_return true;
}

Task<Result<bool>> file_round(Storm* storm, uint64_t id, uint64_t seed) {
  Rng rng(seed);
  const std::string path = storm->dir + "/f" + std::to_string(id);
  ZOKIO_CO_TRY(fs::File file, co_await fs::File::open(path, {.write = true, .create = true}));
  for (uint64_t offset = 0; offset < 3 * 8192; offset += 8192) {
    ZOKIO_CO_TRY(mem::Buffer out, co_await lease_in_time(8192));
    fill(out, seed + offset);
    IoResult written = co_await file.write_all_at(std::move(out), offset);
    if (!written.n.has_value()) co_return fail(written.n.error());
  }
  if (rng.below(8) == 0) ZOKIO_CO_CHECKED(co_await file.sync());
  for (uint64_t offset = 0; offset < 3 * 8192; offset += 8192) {
    ZOKIO_CO_TRY(mem::Buffer in, co_await lease_in_time(8192));
    IoResult got = co_await file.read_full_at(std::move(in), offset);
    if (!got.n.has_value()) co_return fail(got.n.error());
    if (*got.n != 8192 || !is_filled(got.buffer, seed + offset)) co_return false;
  }
  ZOKIO_CO_CHECKED(co_await file.close());
  ZOKIO_CO_CHECKED(co_await fs::unlink(path));
  co_return true;
}

// A read that nobody answers, cut by a timeout: the cancel travels while reactors come and go.
Task<Result<bool>> cut_read(Storm* storm, uint64_t seed) {
  Rng rng(seed);
  ZOKIO_CO_TRY(net::TcpStream stream, co_await net::TcpStream::connect(storm->server));
  struct Read {
    static Task<Result<size_t>> once(net::TcpStream* s) {
      ZOKIO_CO_TRY(mem::Buffer in, co_await lease_in_time(64));
      IoResult got = co_await s->read(std::move(in));
      co_return got.n;
    }
  };
  auto cut = co_await with_timeout(Read::once(&stream), std::chrono::microseconds(rng.below(2000)));
  ZOKIO_CO_CHECKED(co_await stream.close());
  co_return !cut.has_value() && cut.error().code == Errc::DeadlineExceeded;
}

Task<Result<bool>> child_round() {
  process::Command command;
  command.arguments = {"/bin/echo", "storm"};
  command.standard_error = process::Output::Null;
  ZOKIO_CO_TRY(process::Child child, command.spawn());
  std::string text;
  while (true) {
    ZOKIO_CO_TRY(mem::Buffer in, co_await lease_in_time(64));
    IoResult got = co_await child.standard_output().read(std::move(in));
    if (!got.n.has_value()) co_return fail(got.n.error());
    if (*got.n == 0) break;
    text += as_text(got.buffer.bytes());
  }
  ZOKIO_CO_TRY(process::ExitStatus status, co_await child.wait());
  co_return status.success() && text == "storm\n";
}

enum class Kind { Echo, File, Cut, Child };

Task<void> repeat(Storm* storm, Kind kind, uint64_t id, uint64_t seed) {
  Rng rng(seed);
  while (!storm->stopping()) {
    storm->begin();
    Result<bool> outcome = false;
    switch (kind) {
      case Kind::Echo:
        outcome = co_await echo_rounds(storm, rng.next());
        break;
      case Kind::File:
        outcome = co_await file_round(storm, id, rng.next());
        break;
      case Kind::Cut:
        outcome = co_await cut_read(storm, rng.next());
        break;
      case Kind::Child:
        outcome = co_await child_round();
        break;
    }
    if (!outcome.has_value())
      ADD_FAILURE() << static_cast<int>(kind) << ": " << outcome.error().to_string();
    storm->end(outcome.has_value() && *outcome);
  }
}

void expect_monotonic(const RuntimeSnapshot& before, const RuntimeSnapshot& now) {
  ASSERT_GE(now.scheduler.tasks_spawned, before.scheduler.tasks_spawned);
  ASSERT_GE(now.scheduler.delay_ns.count, before.scheduler.delay_ns.count);
  for (size_t i = 0; i < before.scheduler.workers.size(); ++i)
    ASSERT_GE(now.scheduler.workers[i].polls, before.scheduler.workers[i].polls);
  for (size_t i = 0; i < before.io.reactors.size(); ++i) {
    ASSERT_GE(now.io.reactors[i].submissions, before.io.reactors[i].submissions);
    ASSERT_GE(now.io.reactors[i].enters, before.io.reactors[i].enters);
  }
  for (size_t i = 0; i < before.io.ops.size(); ++i) {
    ASSERT_GE(now.io.ops[i].ok, before.io.ops[i].ok) << now.io.ops[i].op;
    ASSERT_GE(now.io.ops[i].bytes, before.io.ops[i].bytes) << now.io.ops[i].op;
    ASSERT_GE(now.io.ops[i].duration_ns.count, before.io.ops[i].duration_ns.count);
  }
  for (size_t i = 0; i < before.pools.size(); ++i) {
    ASSERT_GE(now.pools[i].hits_thread, before.pools[i].hits_thread);
    ASSERT_GE(now.pools[i].hits_shared, before.pools[i].hits_shared);
    ASSERT_GE(now.pools[i].misses_os, before.pools[i].misses_os);
    ASSERT_GE(now.pools[i].frees, before.pools[i].frees);
  }
}

uint64_t resizes_wanted() {
  const char* text = std::getenv("ZOKIO_STORM_RESIZES");
  return text != nullptr ? std::strtoull(text, nullptr, 0) : 500;
}

using ResizeStorm = test::RuntimeTest;

TEST_P(ResizeStorm, NothingIsLostAndNoFigureGoesBackwards) {
  ZOKIO_SEED_TRACE();
  Rng rng(test::test_seed());
  test::TempDir dir;
  auto storm = std::make_unique<Storm>();
  storm->dir = dir.path();
  auto listener = net::TcpListener::bind(net::Address::loopback(0));
  ASSERT_TRUE(listener.has_value());
  storm->server = *listener->local_address();
  auto server = runtime_->spawn(serve, &*listener);
  std::vector<JoinHandle<void>> tasks;
  auto start = [&](Kind kind, int count) {
    for (int i = 0; i < count; ++i)
      tasks.push_back(runtime_->spawn(repeat, storm.get(), kind, tasks.size(), rng.next()));
  };
  start(Kind::Echo, 12);
  start(Kind::File, 6);
  start(Kind::Cut, 4);
  start(Kind::Child, 1);

  uint64_t reissued = 0;
  RuntimeSnapshot before = runtime_->stats();
  for (uint64_t i = resizes_wanted(); i > 0; --i) {
    Result<ResizeReport> report = fail(Errc::Unknown, "");
    switch (rng.below(4)) {
      case 0:
      case 1: {
        const unsigned target = 1 + rng.below(8);
        report = runtime_->resize_workers_blocking(target);
        if (report.has_value()) EXPECT_EQ(report->reached, target);
        break;
      }
      case 2: {
        const unsigned target = 1 + rng.below(4);
        report = runtime_->resize_reactors_blocking(target);
        if (report.has_value()) EXPECT_EQ(report->reached, target);
        break;
      }
      case 3:
        report = runtime_->resize_pool("buffers", (1 + rng.below(64)) * 65536, true);
        break;
    }
    ASSERT_TRUE(report.has_value()) << report.error().to_string();
    reissued += report->reissued_ops;
    const RuntimeSnapshot now = runtime_->stats();
    expect_monotonic(before, now);
    if (HasFatalFailure()) return;
    before = now;
  }
  ASSERT_TRUE(runtime_->resize_pool("buffers", 0).has_value());

  storm->stop = true;
  EXPECT_TRUE(test::eventually([&] { return storm->started.load() == storm->ended.load(); }, 60s));
  server.cancel();
  EXPECT_EQ(storm->wrong.load(), 0u);
  EXPECT_GT(storm->ended.load(), 100u);
  EXPECT_GT(reissued, 0u) << "no operation was waiting on a reactor that went";
  std::printf("%llu pieces of work, %llu operations moved between reactors\n",
              static_cast<unsigned long long>(storm->ended.load()),
              static_cast<unsigned long long>(reissued));
  ASSERT_TRUE(runtime_->shutdown(60s));
}

INSTANTIATE_TEST_SUITE_P(Matrix, ResizeStorm,
                         testing::Values(test::RuntimeParam{4, Backend::Uring},
                                         test::RuntimeParam{4, Backend::Epoll}),
                         test::param_name);

}  // namespace
}  // namespace zokio
