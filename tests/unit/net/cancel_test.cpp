// SPDX-License-Identifier: Apache-2.0

// A task that does one thing of each kind is cut off at every point of it: no descriptor and no
// buffer is left, and what it reports is either its end or Cancelled.

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

#include "coroutine_asserts.h"
#include "runtime_fixture.h"
#include "temp_dir.h"
#include "zokio/fs/dir.h"
#include "zokio/fs/file.h"
#include "zokio/mem/pools.h"
#include "zokio/net/tcp_listener.h"
#include "zokio/net/tcp_stream.h"
#include "zokio/process/command.h"

namespace zokio {
namespace {

class CancelAnywhere : public test::RuntimeTest {
 protected:
  void SetUp() override {
    buffers_before_ = mem::snapshot(mem::PoolId::Buffers).objects_in_use;
    test::RuntimeTest::SetUp();
  }
  void TearDown() override {
    test::RuntimeTest::TearDown();
    EXPECT_EQ(mem::snapshot(mem::PoolId::Buffers).objects_in_use, buffers_before_);
  }

 private:
  uint64_t buffers_before_ = 0;
};

mem::Buffer filled(std::size_t size) {
  mem::Buffer buffer = *mem::lease(size);
  std::memset(buffer.data(), 'c', size);
  buffer.resize(size);
  return buffer;
}

Task<Result<int>> on_disk(std::string base) {
  ZOKIO_CO_TRY(fs::File root, co_await fs::File::open(base, {.directory = true}));
  ZOKIO_CO_TRY(fs::File file, co_await fs::File::open_beneath(
                                  root, "f", {.write = true, .create = true, .truncate = true}));
  IoResult io = co_await file.write_all_at(filled(50'000), 0);
  if (!io.n.has_value()) co_return fail(io.n.error());
  ZOKIO_CO_CHECKED(co_await file.sync(true));
  io = co_await file.read_full_at(std::move(io.buffer), 0);
  if (!io.n.has_value()) co_return fail(io.n.error());
  ZOKIO_CO_CHECKED(co_await file.stat());
  ZOKIO_CO_CHECKED(co_await fs::rename(base + "/f", base + "/g"));
  ZOKIO_CO_CHECKED(co_await fs::read_dir(base));
  ZOKIO_CO_CHECKED(co_await file.close());
  ZOKIO_CO_CHECKED(co_await fs::unlink(base + "/g"));
  co_return 1;
}

Task<Result<int>> on_the_wire(std::string) {
  ZOKIO_CO_TRY(net::TcpListener listener, net::TcpListener::bind(net::Address::loopback(0)));
  ZOKIO_CO_TRY(const net::Address address, listener.local_address());
  // The kernel finishes the connection before anybody accepts it.
  ZOKIO_CO_TRY(net::TcpStream client, co_await net::TcpStream::connect(address));
  ZOKIO_CO_TRY(net::TcpStream server, co_await listener.accept());
  IoResult io = co_await client.write_all(filled(10'000));
  if (!io.n.has_value()) co_return fail(io.n.error());
  io = co_await server.read_exactly(std::move(io.buffer), 10'000);
  if (!io.n.has_value()) co_return fail(io.n.error());
  ZOKIO_CO_CHECKED(client.shutdown_write());
  io = co_await server.read(std::move(io.buffer));
  if (!io.n.has_value()) co_return fail(io.n.error());
  ZOKIO_CO_CHECKED(co_await client.close());
  // Nobody will come: only the cancel ends this.
  ZOKIO_CO_CHECKED(co_await listener.accept());
  co_return 1;
}

Task<Result<int>> in_a_child(std::string) {
  ZOKIO_CO_TRY(process::Child child,
               process::Command{.arguments = {"/bin/cat", "/proc/self/status"}}.spawn());
  mem::Buffer buffer = *mem::lease(1024);
  for (;;) {
    IoResult io = co_await child.standard_output().read(std::move(buffer));
    if (!io.n.has_value()) co_return fail(io.n.error());
    if (*io.n == 0) break;
    buffer = std::move(io.buffer);
  }
  ZOKIO_CO_CHECKED(co_await child.wait());
  co_return 1;
}

template <class F>
Task<void> cut_off(F work, std::string base, unsigned rounds, unsigned step_us, bool ends) {
  unsigned finished = 0;
  unsigned cut = 0;
  for (unsigned round = 0; round < rounds || (ends && finished == 0); ++round) {
    auto task = spawn(work, base);
    for (unsigned i = 0; i < round % 16; ++i) co_await yield_now();
    // Once through all points, and then with ever more time until it comes to its end.
    const unsigned more = round < rounds ? 0 : round - rounds + 1;
    CO_ASSERT(more < 16);
    if (round >= 16) (void)co_await sleep(std::chrono::microseconds(round * step_us) * (1 << more));
    task.cancel();
    auto outcome = co_await task;
    if (outcome.has_value()) {
      ++finished;
    } else {
      ++cut;
      CO_ASSERT(outcome.error().code == Errc::Cancelled);
    }
  }
  EXPECT_GT(cut, 0u);
}

TEST_P(CancelAnywhere, Files) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(cut_off<decltype(&on_disk)>, &on_disk, dir.path(), 150u, 20u, true)
                  .has_value());
}

TEST_P(CancelAnywhere, Sockets) {
  ASSERT_TRUE(
      runtime_
          ->block_on(cut_off<decltype(&on_the_wire)>, &on_the_wire, std::string(), 150u, 10u, false)
          .has_value());
}

TEST_P(CancelAnywhere, Children) {
  ASSERT_TRUE(
      runtime_->block_on(cut_off<decltype(&in_a_child)>, &in_a_child, std::string(), 40u, 60u, true)
          .has_value());
}

ZOKIO_RUNTIME_MATRIX(CancelAnywhere);

}  // namespace
}  // namespace zokio
