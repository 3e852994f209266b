// SPDX-License-Identifier: Apache-2.0

// Poor environments: io_uring denied, no memory to lock, no descriptors left, two pages for all
// buffers, rings that cannot be made. In each of them an echo server and a file work, perhaps
// slower, and the statistics say why. Each case is a process of its own, because limits and filters
// do not go away again.

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "echo_clients.h"
#include "runtime_fixture.h"
#include "temp_dir.h"
#include "zokio/fs/file.h"
#include "zokio/lease.h"
#include "zokio/mem/registered.h"
#include "zokio/net/tcp_listener.h"

namespace zokio {
namespace {

using namespace std::chrono_literals;

// In a child: says what is wrong and ends it.
void demand(bool condition, const std::string& what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what.c_str());
  std::_Exit(3);
}
[[noreturn]] void leave(const std::string& reason) {
  std::fprintf(stderr, "reason=%s\n", reason.c_str());
  std::_Exit(0);
}

// io_uring_setup says `error` from now on, on all threads of the process.
void forbid_rings(int error) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter = {4, program};
  demand(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
             syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0,
         "seccomp");
}

// Also for root, which may lock what it wants otherwise.
void limit_locked_memory(rlim_t bytes) {
  const rlimit few{bytes, bytes};
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  syscall(SYS_capget, &header, data);
  for (auto* set : {&data[0].effective, &data[0].permitted}) *set &= ~(1u << CAP_IPC_LOCK);
  demand(syscall(SYS_capset, &header, data) == 0, "capset");
  demand(setrlimit(RLIMIT_MEMLOCK, &few) == 0, "RLIMIT_MEMLOCK");
}

std::unique_ptr<Runtime> make_runtime(Backend backend) {
  RuntimeOptions options;
  options.workers = 2;
  options.reactors = 1;
  options.backend = backend;
  auto made = Runtime::create(std::move(options));
  demand(made.has_value(), made.has_value() ? "" : made.error().to_string());
  return *std::move(made);
}

// Waits for a buffer as a program would that is short of them.
Task<Result<void>> serve_one(net::TcpStream stream) {
  while (true) {
    auto got = co_await stream.receive();
    if (!got.has_value() && got.error().code == Errc::ResourceExhausted) {
      ZOKIO_CO_CHECKED(co_await sleep(1ms));
      continue;
    }
    if (!got.has_value()) co_return fail(got.error());
    if (got->size() == 0) break;
    // Large pieces out of the buffer itself, where that is possible at all.
    IoResult sent = co_await stream.write_zero_copy(*std::move(got));
    if (!sent.n.has_value()) co_return fail(sent.n.error());
    if (*sent.n < sent.buffer.size()) {
      ZOKIO_CO_CHECKED((co_await io::write_all(stream, std::move(sent.buffer), *sent.n)).n);
    }
  }
  co_return co_await stream.close();
}

Task<Result<void>> serve(net::TcpListener* listener) {
  while (true) {
    auto stream = co_await listener->accept();
    if (!stream.has_value()) co_return fail(stream.error());
    spawn(serve_one, *std::move(stream)).detach();
  }
}

Task<Result<bool>> use_file(std::string path, bool registered) {
  ZOKIO_CO_TRY(fs::File file,
               co_await fs::File::open(path, {.read = true, .write = true, .create = true}));
  for (int round = 0; round < 4; ++round) {
    auto leased = registered ? mem::lease_registered(4096) : co_await lease_async(4096);
    if (!leased.has_value()) co_return fail(leased.error());
    leased->resize(4096);
    std::memset(leased->data(), 'a' + round, 4096);
    IoResult wrote = co_await file.write_all_at(*std::move(leased), 0);
    if (!wrote.n.has_value()) co_return fail(wrote.n.error());
    IoResult read = co_await file.read_full_at(std::move(wrote.buffer), 0);
    if (!read.n.has_value()) co_return fail(read.n.error());
    if (*read.n != 4096 || read.buffer.data()[4095] != std::byte('a' + round)) co_return false;
  }
  ZOKIO_CO_CHECKED(co_await file.close());
  co_return true;
}

// The echo and the file.
void exercise(Runtime& runtime, bool registered = false) {
  test::TempDir dir;
  auto listener = net::TcpListener::bind(net::Address::loopback(0));
  demand(listener.has_value(), "bind");
  auto server = runtime.spawn(serve, &*listener);
  {
    test::EchoClients load(
        {.port = listener->local_address()->port(), .clients = 8, .most_bytes = 3000});
    auto file = runtime.block_on(use_file, dir.path() + "/f", registered);
    demand(file.has_value(), file.has_value() ? "" : file.error().to_string());
    demand(*file, "what the file holds");
    demand(test::eventually([&] { return load.round_trips() > 200 || load.errors() != 0; }),
           "echo");
    load.stop();
    demand(load.errors() == 0, load.first_error());
  }
  server.cancel();
  demand(runtime.shutdown(60s), "shutdown");
}

bool has_uring() {
  RuntimeOptions options;
  options.workers = 1;
  options.backend = Backend::Uring;
  return Runtime::create(std::move(options)).has_value();
}

class PoorDeathTest : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    if (GetParam() == Backend::Uring && !has_uring()) GTEST_SKIP() << "no io_uring here";
  }
  bool uring() const { return GetParam() == Backend::Uring; }
};
const testing::ExitedWithCode kFine(0);

[[noreturn]] void without_rings(int error) {
  forbid_rings(error);
  auto runtime = make_runtime(Backend::Auto);
  exercise(*runtime);
  const IoSnapshot io = runtime->stats().io;
  demand(io.backend == "epoll", "epoll");
  demand(io.file_ops_blocking > 0, "files go to the pool");
  leave(io.fallback_reason);
}

TEST(PoorDeathTest, RingsAreRefused) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(without_rings(EPERM), kFine, "reason=EPERM: io_uring_setup refused \\(seccomp");
  EXPECT_EXIT(without_rings(ENOMEM), kFine, "reason=ENOMEM: io_uring_setup refused");
  EXPECT_EXIT(without_rings(EMFILE), kFine, "reason=EMFILE: io_uring_setup refused");
}

// Newer kernels count the rings themselves, older ones only what is registered with them.
[[noreturn]] void with_locked_memory(rlim_t bytes, Backend backend) {
  limit_locked_memory(bytes);
  auto runtime = make_runtime(backend == Backend::Uring ? Backend::Auto : backend);
  exercise(*runtime, true);
  const IoSnapshot io = runtime->stats().io;
  leave(io.fallback_reason + io.reactors.at(0).registered_buffers);
}

TEST_P(PoorDeathTest, NoMemoryToLock) {
  // None; and enough for rings, and not for the slab of 4 MiB.
  for (const rlim_t bytes : {rlim_t{0}, rlim_t{2} << 20})
    EXPECT_EXIT(with_locked_memory(bytes, GetParam()), kFine,
                uring() ? "reason=.*ENOMEM" : "reason=\n");
}

[[noreturn]] void with_two_pages(Backend backend) {
  demand(mem::set_limit("buffers", 2 * 4096, true).has_value(), "limit");
  demand(mem::set_settings("buffers", {1, 1, mem::WhenFull::Wait}).has_value(), "settings");
  auto runtime = make_runtime(backend);
  exercise(*runtime);
  leave(runtime->stats().io.reactors.at(0).receive_buffers_reason);
}

TEST_P(PoorDeathTest, TwoPagesForAllBuffers) {
  EXPECT_EXIT(with_two_pages(GetParam()), kFine,
              uring() ? "reason=the pool of buffers is too small" : "reason=\n");
}

// Rings that cannot be made later: what runs goes on, and the resize says why not.
[[noreturn]] void without_more_rings() {
  auto runtime = make_runtime(Backend::Uring);
  forbid_rings(ENOMEM);
  auto more = runtime->resize_reactors_blocking(3);
  demand(!more.has_value() && more.error().os_errno == ENOMEM, "no more reactors");
  auto other = runtime->resize_rings_blocking(1024, RingChange::Replace);
  demand(!other.has_value() && other.error().os_errno == ENOMEM, "no other ring");
  exercise(*runtime);
  demand(runtime->stats().io.reactors.at(0).ring_entries == 256, "the ring stays");
  leave(other.error().to_string());
}

TEST_P(PoorDeathTest, NoMemoryForMoreRings) {
  if (!uring()) GTEST_SKIP() << "epoll has no rings";
  EXPECT_EXIT(without_more_rings(), kFine, "reason=.*ENOMEM");
}

// --- at the limit of descriptors ---

constexpr int kCallers = 60;

// A process of its own: connects many times, says a byte on each, and lets go only when told; then
// each is closed when its answer has come. Exit code 0: all were answered.
[[noreturn]] void call_often(int port_from, int told) {
  alarm(100);
  uint16_t port = 0;
  if (read(port_from, &port, sizeof port) != sizeof port) std::_Exit(10);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int callers[kCallers];
  for (int& caller : callers) {
    caller = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(caller, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) std::_Exit(11);
    if (write(caller, "x", 1) != 1) std::_Exit(12);
  }
  char byte = 0;
  if (read(told, &byte, 1) != 1) std::_Exit(13);
  // In the order in which they are accepted.
  for (int caller : callers) {
    if (read(caller, &byte, 1) != 1 || byte != 'x') std::_Exit(14);
    close(caller);
  }
  std::_Exit(0);
}

uint64_t failed_accepts(const IoSnapshot& io) {
  for (const IoOpSnapshot& op : io.ops)
    if (op.op == "accept") return op.error;
  return 0;
}

[[noreturn]] void without_descriptors(Backend backend) {
  int port_pipe[2];
  int go_pipe[2];
  demand(pipe(port_pipe) == 0 && pipe(go_pipe) == 0, "pipe");
  const pid_t caller = ::fork();
  if (caller == 0) call_often(port_pipe[0], go_pipe[0]);
  auto runtime = make_runtime(backend);
  auto listener = net::TcpListener::bind(net::Address::loopback(0));
  demand(listener.has_value(), "bind");
  const rlimit few{test::open_fds() + 20, test::open_fds() + 20};
  demand(setrlimit(RLIMIT_NOFILE, &few) == 0, "RLIMIT_NOFILE");
  const Instant begin = Instant::now();
  auto server = runtime->spawn(serve, &*listener);
  const uint16_t port = listener->local_address()->port();
  demand(write(port_pipe[1], &port, sizeof port) == sizeof port, "port");
  // Seven pauses double from 1 ms, so they take 127.
  demand(test::eventually([&] { return runtime->stats().io.accept_pauses >= 8; }), "a pause");
  const IoSnapshot io = runtime->stats().io;
  const int64_t took_ms = (Instant::now() - begin).count() / 1'000'000;
  // No busy loop: each failed accept is followed by a pause, and pauses grow.
  demand(failed_accepts(io) <= io.accept_pauses + 1, "accepts without a pause");
  demand(took_ms >= 100, "pauses that do not grow");
  // One may have begun anew while others were accepted.
  demand(io.accept_pauses <= 40 + static_cast<uint64_t>(took_ms) / 100, "too many pauses");
  demand(write(go_pipe[1], "g", 1) == 1, "go");
  int status = 0;
  demand(waitpid(caller, &status, 0) == caller, "waitpid");
  demand(WIFEXITED(status) && WEXITSTATUS(status) == 0,
         "callers: " + std::to_string(WEXITSTATUS(status)));
  server.cancel();
  demand(runtime->shutdown(60s), "shutdown");
  leave(io.accept_pause_reason);
}

// UBSan looks whether memory can be read through a pipe of its own before it says what it thinks of
// a virtual call; without a descriptor for that it reports calls that are right.
TEST_P(PoorDeathTest, NoDescriptorsLeft) {
#if __has_feature(undefined_behavior_sanitizer)
  GTEST_SKIP() << "the sanitizer needs descriptors";
#endif
  EXPECT_EXIT(without_descriptors(GetParam()), kFine, "reason=.*EMFILE");
}

INSTANTIATE_TEST_SUITE_P(Backends, PoorDeathTest, testing::Values(Backend::Uring, Backend::Epoll),
                         [](const testing::TestParamInfo<Backend>& info) {
                           return info.param == Backend::Uring ? "uring" : "epoll";
                         });

}  // namespace
}  // namespace zokio
