// SPDX-License-Identifier: Apache-2.0

// Single operations on both backends: what they do, their errors, short transfers, and that a
// cancel leaves the buffer with the caller and nothing in flight.

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "io/driver.h"
#include "io/ops/fallocate.h"
#include "io/ops/link.h"
#include "io/ops/readv.h"
#include "io/ops/recvmsg.h"
#include "io/ops/sendmsg.h"
#include "io/ops/splice.h"
#include "io/ops/truncate.h"
#include "io/ops/waitid.h"
#include "ops_fixture.h"
#include "os/pidfd.h"
#include "temp_dir.h"

namespace zokio::io {
namespace {

using OpsTest = test::BufferTest;
using test::pattern_text;
using test::SocketPair;
using test::text_buffer;

std::vector<mem::Buffer> rooms(std::initializer_list<std::size_t> sizes) {
  std::vector<mem::Buffer> out;
  for (std::size_t size : sizes) out.push_back(*mem::lease(size));
  return out;
}

std::string joined(const std::vector<mem::Buffer>& buffers) {
  std::string out;
  for (const mem::Buffer& buffer : buffers) out += as_text(buffer.bytes());
  return out;
}

Task<void> vectored_files(std::string path) {
  os::Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const std::string text = pattern_text(25);
  CO_ASSERT(write(fd.get(), text.data(), text.size()) == 25);
  ReadvOp read(fd.get(), rooms({4, 1, 100, 7}), 0);
  co_await read;
  VectorResult got = read.take();
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(*got.n, 25u);
  EXPECT_EQ(joined(got.buffers), text);
  EXPECT_EQ(got.buffers[0].size(), 4u);
  EXPECT_EQ(got.buffers[1].size(), 1u);
  EXPECT_EQ(got.buffers[2].size(), 20u);
  EXPECT_EQ(got.buffers[3].size(), 0u);

  ReadvOp behind(fd.get(), rooms({4}), 1000);
  co_await behind;
  EXPECT_EQ(behind.result(), 0);
  ReadvOp nowhere(-1, rooms({4}), 0);
  co_await nowhere;
  EXPECT_EQ(nowhere.result(), -EBADF);
  EXPECT_EQ(nowhere.take().buffers.size(), 1u);
  // More buffers than one call takes are a short transfer.
  CO_ASSERT(ftruncate(fd.get(), 2000) == 0);
  std::vector<mem::Buffer> many;
  for (std::size_t i = 0; i < kMaxVectors + 10; ++i) many.push_back(*mem::lease(1));
  ReadvOp most(fd.get(), std::move(many), 0);
  co_await most;
  EXPECT_EQ(most.result(), static_cast<int64_t>(kMaxVectors));
  EXPECT_EQ(most.take().buffers.size(), kMaxVectors + 10);
}

TEST_P(OpsTest, VectoredReadsOfFiles) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(vectored_files, dir / "f").has_value());
}

Task<Result<std::size_t>> wait_in_readv(int fd, const std::byte** memory) {
  std::vector<mem::Buffer> buffers = rooms({100, 100});
  *memory = buffers[1].data();
  ReadvOp op(fd, std::move(buffers), kNoOffset);
  co_await op;
  VectorResult out = op.take();
  EXPECT_EQ(out.buffers.size(), 2u);
  EXPECT_EQ(out.buffers[1].data(), *memory);
  co_return out.n;
}

Task<void> cancelled_vectors() {
  int ends[2];
  CO_ASSERT(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  os::Fd in(ends[0]);
  os::Fd out(ends[1]);
  unsigned ended = 0;
  unsigned cut = 0;
  const std::byte* memory = nullptr;
  co_await test::cancel_at_every_point(
      [&](unsigned) { return spawn(wait_in_readv, in.get(), &memory); }, 100, &ended, &cut);
  EXPECT_EQ(cut, 100u);
  // Nothing was taken by those, and nobody takes it now.
  CO_ASSERT(write(out.get(), "still", 5) == 5);
  int waiting = 0;
  CO_ASSERT(ioctl(in.get(), FIONREAD, &waiting) == 0);
  EXPECT_EQ(waiting, 5);
}

TEST_P(OpsTest, ACancelledVectorReadTakesNothing) {
  ASSERT_TRUE(runtime_->block_on(cancelled_vectors).has_value());
}

Task<void> pass_descriptors() {
  SocketPair pair;
  int ends[2];
  CO_ASSERT(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  os::Fd in(ends[0]);
  os::Fd out(ends[1]);
  const int numbers[] = {in.get(), out.get()};
  SendToOp send(pair.a.get(), text_buffer("two"), 0, nullptr, 0, numbers);
  co_await send;
  EXPECT_EQ(send.result(), 3);

  RecvFromOp got(pair.b.get(), *mem::lease(16), 0, 16, 4);
  co_await got;
  EXPECT_EQ(got.result(), 3);
  EXPECT_EQ(got.flags() & MSG_CTRUNC, 0);
  std::vector<os::Fd> fds = got.take_fds();
  CO_ASSERT(fds.size() == 2);
  for (const os::Fd& fd : fds) EXPECT_EQ(fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
  CO_ASSERT(write(fds[1].get(), "!", 1) == 1);
  char byte = 0;
  CO_ASSERT(read(in.get(), &byte, 1) == 1);
  EXPECT_EQ(byte, '!');
  EXPECT_TRUE(got.take_fds().empty());

  // Room for one of two: the other is closed by the kernel, and it says so.
  SendToOp again(pair.a.get(), text_buffer("more"), 0, nullptr, 0, numbers);
  co_await again;
  RecvFromOp cut(pair.b.get(), *mem::lease(16), 0, 16, 1);
  co_await cut;
  EXPECT_EQ(cut.result(), 4);
  EXPECT_NE(cut.flags() & MSG_CTRUNC, 0);
  EXPECT_EQ(cut.take_fds().size(), 1u);

  pair.a.reset();
  RecvFromOp end(pair.b.get(), *mem::lease(16), 0, 16, 1);
  co_await end;
  EXPECT_EQ(end.result(), 0);
  EXPECT_TRUE(end.take_fds().empty());
}

TEST_P(OpsTest, DescriptorsTravelWithAMessage) {
  ASSERT_TRUE(runtime_->block_on(pass_descriptors).has_value());
}

Task<Result<std::size_t>> wait_in_recvmsg(int fd) {
  RecvFromOp op(fd, *mem::lease(64), 0, 64, 3);
  co_await op;
  if (op.result() >= 0) EXPECT_EQ(op.take_fds().size(), 1u);
  IoResult out = op.take();
  EXPECT_EQ(out.buffer.capacity(), 64u);
  co_return out.n;
}

// A message with a descriptor arrives while the receive is being cancelled: either it is delivered,
// or it is still there. The fixture counts the descriptors.
Task<void> cancelled_messages() {
  SocketPair pair;
  const int number = pair.a.get();
  unsigned ended = 0;
  unsigned cut = 0;
  unsigned sent = 0;
  co_await test::cancel_at_every_point(
      [&](unsigned round) {
        auto task = spawn(wait_in_recvmsg, pair.b.get());
        if (round % 2 == 1) {
          char byte = 'm';
          iovec vector{.iov_base = &byte, .iov_len = 1};
          alignas(cmsghdr) char control[CMSG_SPACE(sizeof number)] = {};
          msghdr header{};
          header.msg_iov = &vector;
          header.msg_iovlen = 1;
          header.msg_control = control;
          header.msg_controllen = sizeof control;
          cmsghdr* item = CMSG_FIRSTHDR(&header);
          item->cmsg_level = SOL_SOCKET;
          item->cmsg_type = SCM_RIGHTS;
          item->cmsg_len = CMSG_LEN(sizeof number);
          std::memcpy(CMSG_DATA(item), &number, sizeof number);
          EXPECT_EQ(sendmsg(pair.a.get(), &header, MSG_DONTWAIT), 1);
          ++sent;
        }
        return task;
      },
      200, &ended, &cut);
  EXPECT_EQ(sent, 100u);
  EXPECT_GT(cut, 0u);
  while (ended < sent) {
    auto late = co_await wait_in_recvmsg(pair.b.get());
    CO_ASSERT_OK(late);
    ++ended;
  }
}

TEST_P(OpsTest, ACancelledReceiveLosesNoDescriptor) {
  ASSERT_TRUE(runtime_->block_on(cancelled_messages).has_value());
}

Task<void> sizes(std::string path) {
  os::Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  TruncateOp longer(fd.get(), 5000);
  co_await longer;
  EXPECT_EQ(longer.result(), 0);
  EXPECT_EQ(lseek(fd.get(), 0, SEEK_END), 5000);
  TruncateOp shorter(fd.get(), 10);
  co_await shorter;
  EXPECT_EQ(lseek(fd.get(), 0, SEEK_END), 10);
  TruncateOp negative(fd.get(), -1);
  co_await negative;
  EXPECT_EQ(negative.result(), -EINVAL);

  FallocateOp room(fd.get(), 0, 0, 100'000);
  co_await room;
  if (room.result() != -EOPNOTSUPP) {
    EXPECT_EQ(room.result(), 0);
    EXPECT_EQ(lseek(fd.get(), 0, SEEK_END), 100'000);
    FallocateOp beyond(fd.get(), FALLOC_FL_KEEP_SIZE, 0, 200'000);
    co_await beyond;
    EXPECT_EQ(beyond.result(), 0);
    EXPECT_EQ(lseek(fd.get(), 0, SEEK_END), 100'000);
    FallocateOp nothing(fd.get(), 0, 0, 0);
    co_await nothing;
    EXPECT_EQ(nothing.result(), -EINVAL);
  }

  LinkOp link(AT_FDCWD, path, AT_FDCWD, path + "2", 0);
  co_await link;
  EXPECT_EQ(link.result(), 0);
  LinkOp again(AT_FDCWD, path, AT_FDCWD, path + "2", 0);
  co_await again;
  EXPECT_EQ(again.result(), -EEXIST);
  SymlinkOp symbolic("anywhere", AT_FDCWD, path + "3");
  co_await symbolic;
  EXPECT_EQ(symbolic.result(), 0);
  char target[32] = {};
  EXPECT_EQ(readlink((path + "3").c_str(), target, sizeof target), 8);
}

TEST_P(OpsTest, SizesAndNames) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(sizes, dir / "f").has_value());
  const IoSnapshot io = runtime_->stats().io;
  uint64_t counted = 0;
  for (const BlockingReason& reason : io.blocking_reasons) counted += reason.operations;
  EXPECT_EQ(counted, io.file_ops_blocking);
  EXPECT_EQ(io.blocking_reasons[0].operations > 0, GetParam().backend == Backend::Epoll);
}

Task<void> splices(std::string path) {
  os::Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const std::string text = pattern_text(30'000);
  CO_ASSERT(write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  int ends[2];
  CO_ASSERT(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  os::Fd in(ends[0]);
  os::Fd out(ends[1]);
  SocketPair pair;

  SpliceOp fill = SpliceOp::fill(file.get(), 1000, out.get(), 20'000);
  co_await fill;
  CO_ASSERT(fill.result() == 20'000);
  SpliceOp drain = SpliceOp::drain(in.get(), pair.a.get(), 20'000);
  co_await drain;
  CO_ASSERT(drain.result() > 0);
  std::string got(30'000, '\0');
  const ssize_t n = read(pair.b.get(), got.data(), got.size());
  EXPECT_EQ(n, drain.result());
  EXPECT_EQ(got.substr(0, static_cast<std::size_t>(n)),
            text.substr(1000, static_cast<std::size_t>(n)));

  SpliceOp end = SpliceOp::fill(file.get(), 30'000, out.get(), 100);
  co_await end;
  EXPECT_EQ(end.result(), 0);
  SpliceOp more = SpliceOp::fill(file.get(), 0, out.get(), 100);
  co_await more;
  pair.b.reset();
  SpliceOp broken = SpliceOp::drain(in.get(), pair.a.get(), 100);
  co_await broken;  // and no SIGPIPE
  EXPECT_EQ(broken.result(), -EPIPE);
}

TEST_P(OpsTest, SpliceFromFileToSocket) {
  test::TempDir dir;
  ASSERT_TRUE(runtime_->block_on(splices, dir / "f").has_value());
}

Task<Result<int64_t>> drain_into(int pipe, int socket) {
  SpliceOp op = SpliceOp::drain(pipe, socket, 1000);
  co_await op;
  if (op.result() < 0) co_return fail(error_of(op));
  co_return op.result();
}

// The socket is full, so the splice waits; cancelled, it has taken nothing out of the pipe.
Task<void> cancelled_splices() {
  SocketPair pair;
  const std::string text = pattern_text(100'000);
  while (write(pair.a.get(), text.data(), text.size()) > 0) {
  }
  int ends[2];
  CO_ASSERT(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  os::Fd in(ends[0]);
  os::Fd out(ends[1]);
  CO_ASSERT(write(out.get(), text.data(), 1000) == 1000);
  unsigned ended = 0;
  unsigned cut = 0;
  co_await test::cancel_at_every_point(
      [&](unsigned) { return spawn(drain_into, in.get(), pair.a.get()); }, 60, &ended, &cut);
  EXPECT_EQ(cut, 60u);
  int waiting = 0;
  CO_ASSERT(ioctl(in.get(), FIONREAD, &waiting) == 0);
  EXPECT_EQ(waiting, 1000);
  // With room it goes on.
  auto waits = spawn(drain_into, in.get(), pair.a.get());
  std::string sink(1 << 20, '\0');
  while (read(pair.b.get(), sink.data(), sink.size()) > 0) {
  }
  auto outcome = co_await waits;
  CO_ASSERT_OK(outcome);
  EXPECT_EQ(*outcome, 1000);
}

TEST_P(OpsTest, ASpliceWaitsForRoomAndCanBeCancelled) {
  ASSERT_TRUE(runtime_->block_on(cancelled_splices).has_value());
}

Task<Result<int>> wait_for(int pidfd) {
  WaitIdOp op(pidfd);
  co_await op;
  if (op.result() < 0) co_return fail(error_of(op));
  co_return op.info().si_status;
}

Task<void> waits() {
  if (task::context().driver->backend() == Backend::Uring &&
      !task::context().driver->native(kOpcodeWaitid)) {
    co_return;
  }
  int ends[2];
  CO_ASSERT(pipe2(ends, O_CLOEXEC) == 0);
  os::Fd in(ends[0]);
  os::Fd out(ends[1]);
  const pid_t pid = ::fork();
  if (pid == 0) {
    close(ends[1]);
    char byte = 0;
    _exit(read(ends[0], &byte, 1) == 1 ? 7 : 8);
  }
  auto pidfd = os::open_pidfd(pid);
  CO_ASSERT_OK(pidfd);
  unsigned ended = 0;
  unsigned cut = 0;
  co_await test::cancel_at_every_point([&](unsigned) { return spawn(wait_for, pidfd->get()); }, 40,
                                       &ended, &cut);
  EXPECT_EQ(cut, 40u);
  auto status = spawn(wait_for, pidfd->get());
  co_await yield_now();
  CO_ASSERT(write(out.get(), "x", 1) == 1);
  auto outcome = co_await status;
  CO_ASSERT_OK(outcome);
  EXPECT_EQ(*outcome, 7);
  siginfo_t info{};
  auto reaped = os::reap_pidfd(pidfd->get(), false, info);
  CO_ASSERT_OK(reaped);
  EXPECT_TRUE(*reaped);
  auto nobody = co_await wait_for(pidfd->get());
  CO_ASSERT(!nobody.has_value());
  EXPECT_EQ(nobody.error().os_errno, ECHILD);
}

TEST_P(OpsTest, WaitForAChild) {
  ASSERT_TRUE(runtime_->block_on(waits).has_value());
}

ZOKIO_RUNTIME_MATRIX(OpsTest);

}  // namespace
}  // namespace zokio::io
