// SPDX-License-Identifier: Apache-2.0
//
// Programs of sockets and files over a made-up kernel, for many seeds: each seed is another kernel
// with other faults, another schedule, and reactors that come and go. ZOKIO_SIM_SEED=n runs one
// seed, ZOKIO_SIM_SEEDS=n that many.

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <set>

#include "kernel/files.h"
#include "kernel/kernel.h"
#include "world.h"
#include "zokio/fs/dir.h"
#include "zokio/fs/file.h"
#include "zokio/fs/file_stream.h"
#include "zokio/fs/replace.h"
#include "zokio/io/buffered.h"
#include "zokio/io/copy.h"
#include "zokio/mem/pools.h"
#include "zokio/net/tcp_listener.h"
#include "zokio/net/tcp_stream.h"
#include "zokio/shield.h"
#include "zokio/time/deadline.h"
#include "zokio/time/sleep.h"
#include "zokio/when_all.h"

namespace zokio::sim {
namespace {

struct Ledger {
  explicit Ledger(Kernel& k) : kernel(k) {}
  Kernel& kernel;
  std::string wrong;
  uint64_t exchanged = 0;  // messages that came back
  uint64_t copied = 0;     // files that arrived whole
  uint64_t cut = 0;        // ended by a deadline or a cancel
  uint64_t written = 0;    // records that a file has for certain

  void fault(const std::string& what) {
    if (wrong.empty()) wrong = what;
  }
  // What came back with its result is the task's alone, and is not lost.
  void owned(const mem::Buffer& buffer) {
    if (!buffer) fault("a buffer did not come back");
    if (buffer && kernel.in_use(buffer.data(), buffer.capacity()))
      fault("a buffer came back while the kernel may use it");
  }
  // What the world may do to an operation; anything else is a fault of the runtime.
  void expected(const Error& error) {
    static const std::set<int> kWorld = {ECONNRESET,   EPIPE, ECONNREFUSED, ETIMEDOUT,
                                         ECONNABORTED, EIO,   ENOSPC,       0};
    if (error.code == Errc::Cancelled || error.code == Errc::DeadlineExceeded) return;
    if (!kWorld.contains(error.os_errno))
      fault("an error that nobody made: " + std::string(error.where) + " " +
            std::to_string(error.os_errno));
  }
};

mem::Buffer buffer_of(std::size_t bytes) {
  auto buffer = mem::lease(bytes);
  ZOKIO_CHECK(buffer.has_value(), "memory");
  return *std::move(buffer);
}

// Bytes that say where they belong.
void fill(mem::Buffer& buffer, uint64_t seed, std::size_t bytes) {
  buffer.resize(bytes);
  for (std::size_t i = 0; i < bytes; ++i)
    buffer.data()[i] = static_cast<std::byte>((seed * 131 + i * 7 + (i >> 8)) & 0xff);
}

bool holds(Bytes bytes, uint64_t seed) {
  for (std::size_t i = 0; i < bytes.size(); ++i)
    if (bytes[i] != static_cast<std::byte>((seed * 131 + i * 7 + (i >> 8)) & 0xff)) return false;
  return true;
}

// --- Messages that come back ---------------------------------------------------------------------

// What comes is sent back, until the end of the stream.
Task<void> serve(Ledger* ledger, net::TcpStream stream) {
  mem::Buffer buffer = buffer_of(64 + stream.fd() % 5 * 300);
  while (true) {
    IoResult got = co_await stream.read(std::move(buffer));
    buffer = std::move(got.buffer);
    ledger->owned(buffer);
    if (!got.n.has_value()) ledger->expected(got.n.error());
    if (!got.n.has_value() || *got.n == 0) break;
    IoResult put = co_await stream.write_all(std::move(buffer));
    buffer = std::move(put.buffer);
    ledger->owned(buffer);
    if (!put.n.has_value()) ledger->expected(put.n.error());
    if (!put.n.has_value()) break;
  }
  static_cast<void>(co_await stream.close());
}

// The same with buffers that the kernel picks.
Task<void> serve_picked(Ledger* ledger, net::TcpStream stream) {
  while (true) {
    auto got = co_await stream.receive(1000);
    if (!got.has_value()) ledger->expected(got.error());
    if (!got.has_value() || got->size() == 0) break;
    ledger->owned(*got);
    IoResult put = co_await stream.write_all(*std::move(got));
    ledger->owned(put.buffer);
    if (!put.n.has_value()) ledger->expected(put.n.error());
    if (!put.n.has_value()) break;
  }
  static_cast<void>(co_await stream.close());
}

Task<void> accept_all(Ledger* ledger, net::TcpListener* listener, uint64_t seed) {
  Rng rng(seed);
  std::vector<JoinHandle<void>> open;
  while (true) {
    auto stream = co_await listener->accept();
    if (stream.has_value()) {
      open.push_back(rng.below(2) == 0 ? zokio::spawn(serve, ledger, *std::move(stream))
                                       : zokio::spawn(serve_picked, ledger, *std::move(stream)));
      continue;
    }
    ledger->expected(stream.error());
    if (stream.error().code == Errc::Cancelled) break;
  }
  Shield shield;
  for (auto& one : open) one.cancel();
  for (auto& one : open) co_await one;
}

// One message there and back; false: the connection is of no more use.
Task<bool> exchange(Ledger* ledger, net::TcpStream* stream, uint64_t seed) {
  Rng rng(seed);
  const std::size_t bytes = 1 + rng.below(3000);
  mem::Buffer out = buffer_of(bytes);
  fill(out, seed, bytes);
  auto [put, got] = co_await when_all(stream->write_all(std::move(out)),
                                      stream->read_exactly(buffer_of(bytes), bytes));
  if (!put.has_value() || !got.has_value()) {
    ledger->fault("an operation threw");
    co_return false;
  }
  ledger->owned(put->buffer);
  ledger->owned(got->buffer);
  if (put->buffer && !holds(put->buffer.bytes(), seed)) ledger->fault("a send changed its buffer");
  if (got->buffer && !holds(got->buffer.bytes(), seed)) ledger->fault("other bytes came back");
  if (put->n.has_value() && *put->n != bytes) ledger->fault("a send of less than all");
  if (!put->n.has_value()) ledger->expected(put->n.error());
  if (!got->n.has_value()) ledger->expected(got->n.error());
  if (!put->n.has_value() || !got->n.has_value()) co_return false;
  ++ledger->exchanged;
  co_return true;
}

Task<void> client(Ledger* ledger, net::Address address, uint64_t seed) {
  Rng rng(seed);
  for (uint32_t round = 0; round < 2; ++round) {
    time::DeadlineScope scope(rng.below(3) == 0
                                  ? Instant::now() + std::chrono::microseconds(rng.below(3000))
                                  : Instant::never());
    auto stream = co_await net::TcpStream::connect(address);
    if (!stream.has_value()) {
      ledger->expected(stream.error());
      continue;
    }
    for (uint32_t i = 1 + rng.below(4); i > 0; --i) {
      const bool more = co_await exchange(ledger, &*stream, rng.next());
      if (!more) break;
    }
    if (scope.leave()) ++ledger->cut;
    static_cast<void>(co_await stream->close());
  }
}

Task<void> echo(Ledger* ledger, uint64_t seed) {
  Rng rng(seed);
  auto listener = net::TcpListener::bind(net::Address::loopback(0));
  ZOKIO_CHECK(listener.has_value(), "bind");
  auto server = zokio::spawn(accept_all, ledger, &*listener, rng.next());
  const net::Address address = *listener->local_address();
  std::vector<JoinHandle<void>> clients;
  for (uint32_t i = 1 + rng.below(4); i > 0; --i)
    clients.push_back(zokio::spawn(client, ledger, address, rng.next()));
  for (auto& one : clients) co_await one;
  server.cancel();
  co_await server;
}

// --- Files ---------------------------------------------------------------------------------------

// Records at random places, some of whose writes are cut short by a deadline. What was reported as
// written is there; what was not may be.
Task<void> records(Ledger* ledger, uint64_t seed) {
  Rng rng(seed);
  const std::string path = "records-" + std::to_string(seed % 1000);
  auto file = co_await fs::File::open(path, {.write = true, .create = true});
  if (!file.has_value()) {
    ledger->expected(file.error());
    co_return;
  }
  constexpr std::size_t kRecord = 700;
  std::map<uint64_t, uint64_t> certain;  // place to content
  for (int i = 0; i < 8; ++i) {
    const uint64_t place = rng.below(6), content = rng.next();
    mem::Buffer buffer = buffer_of(kRecord);
    fill(buffer, content, kRecord);
    time::DeadlineScope scope(rng.below(4) == 0
                                  ? Instant::now() + std::chrono::microseconds(rng.below(200))
                                  : Instant::never());
    certain.erase(place);
    IoResult put = co_await file->write_all_at(std::move(buffer), place * kRecord);
    const bool cut = scope.leave();
    ledger->owned(put.buffer);
    if (put.n.has_value() && *put.n == kRecord) certain[place] = content;
    if (!put.n.has_value()) ledger->expected(put.n.error());
    if (!put.n.has_value() && put.n.error().code == Errc::Cancelled && !cut)
      ledger->fault("cancelled by nobody");
    if (cut) ++ledger->cut;
  }
  for (const auto& [place, content] : certain) {
    IoResult got = co_await file->read_full_at(buffer_of(kRecord), place * kRecord);
    ledger->owned(got.buffer);
    if (!got.n.has_value()) {
      ledger->expected(got.n.error());
      continue;
    }
    if (*got.n != kRecord || !holds(got.buffer.bytes(), content))
      ledger->fault("a record is not what was written");
    ++ledger->written;
  }
  static_cast<void>(co_await file->close());
  auto gone = co_await fs::unlink(path);
  if (!gone.has_value()) ledger->expected(gone.error());
}

// A file that is replaced is the old one or the new one, and when that was reported, the new one
// for good.
Task<void> replacements(Ledger* ledger, uint64_t seed) {
  Rng rng(seed);
  const std::string path = "kept-" + std::to_string(seed % 1000);
  std::set<std::string> may_be;
  bool exists = false;
  for (int i = 0; i < 4; ++i) {
    const std::size_t bytes = 1 + rng.below(2000);
    mem::Buffer content = buffer_of(bytes);
    fill(content, rng.next(), bytes);
    const std::string text(as_text(content.bytes()));
    time::DeadlineScope scope(rng.below(3) == 0
                                  ? Instant::now() + std::chrono::microseconds(rng.below(800))
                                  : Instant::never());
    IoResult put = co_await fs::replace_file(path, std::move(content));
    if (scope.leave()) ++ledger->cut;
    ledger->owned(put.buffer);
    if (put.n.has_value()) may_be.clear();
    if (put.n.has_value()) exists = true;
    may_be.insert(text);
    if (!put.n.has_value()) ledger->expected(put.n.error());
    const auto& names = ledger->kernel.root()->children;
    const auto found = names.find(path);
    if (found == names.end()) {
      if (exists) ledger->fault("a replaced file is gone");
      continue;
    }
    if (!may_be.contains(found->second->bytes)) ledger->fault("half of a file was put in place");
    if (found->second->durable != found->second->bytes)
      ledger->fault("a file was put in place that the disk does not have");
  }
}

// --- From a file through a connection into another file ------------------------------------------

Task<void> receive_file(Ledger* ledger, net::TcpListener* listener, std::string path, bool* whole) {
  auto stream = co_await listener->accept();
  if (!stream.has_value()) co_return;
  auto file = co_await fs::File::open(path, {.write = true, .create = true});
  if (!file.has_value()) co_return;
  fs::FileStream to(*file);
  io::CopyResult copied = co_await io::copy(*stream, to, buffer_of(512));
  ledger->owned(copied.buffer);
  *whole = copied.n.has_value();
  if (!*whole) ledger->expected(copied.n.error());
  static_cast<void>(co_await stream->close());
  static_cast<void>(co_await file->close());
}

Task<Result<void>> send_file_to(Ledger* ledger, net::Address address, std::string path) {
  ZOKIO_CO_TRY(auto file, co_await fs::File::open(path));
  ZOKIO_CO_TRY(auto stream, co_await net::TcpStream::connect(address));
  fs::FileStream from(file);
  io::CopyResult copied = co_await io::copy(from, stream, buffer_of(900));
  ledger->owned(copied.buffer);
  if (!copied.n.has_value()) co_return fail(copied.n.error());
  co_return co_await stream.close();
}

Task<void> transfer(Ledger* ledger, uint64_t seed) {
  Rng rng(seed);
  const std::string name = std::to_string(seed % 1000), source = "from-" + name, to = "to-" + name;
  auto inode = std::make_shared<Inode>();
  inode->bytes.resize(rng.below(9000));
  for (char& c : inode->bytes) c = static_cast<char>(rng.next());
  ledger->kernel.root()->children[source] = inode;
  auto listener = net::TcpListener::bind(net::Address::loopback(0));
  ZOKIO_CHECK(listener.has_value(), "bind");
  bool whole = false;
  auto receiver = zokio::spawn(receive_file, ledger, &*listener, to, &whole);
  auto sent = co_await send_file_to(ledger, *listener->local_address(), source);
  if (!sent.has_value()) {
    ledger->expected(sent.error());
    receiver.cancel();
  }
  co_await receiver;
  if (!sent.has_value() || !whole) co_return;
  if (ledger->kernel.root()->children[to]->bytes != inode->bytes)
    ledger->fault("another file arrived");
  ++ledger->copied;
}

// --- Lines ---------------------------------------------------------------------------------------

Task<void> lines(Ledger* ledger, uint64_t seed) {
  Rng rng(seed);
  auto listener = net::TcpListener::bind(net::Address::loopback(0));
  ZOKIO_CHECK(listener.has_value(), "bind");
  const uint32_t count = rng.below(40);
  auto writer = zokio::spawn(
      [](net::Address address, uint32_t n) -> Task<Result<void>> {
        ZOKIO_CO_TRY(auto stream, co_await net::TcpStream::connect(address));
        io::BufferedWriter out(stream, buffer_of(100));
        for (uint32_t i = 0; i < n; ++i)
          ZOKIO_CO_CHECKED(
              co_await out.write(std::string(i * 5 % 90, 'x') + std::to_string(i) + "\n"));
        ZOKIO_CO_CHECKED(co_await out.flush());
        co_return co_await stream.close();
      },
      *listener->local_address(), count);
  // A connect that fails leaves nobody to be accepted.
  time::DeadlineScope scope(Instant::now() + std::chrono::seconds(1));
  auto stream = co_await listener->accept();
  bool missing = false;
  if (stream.has_value()) {
    io::BufferedReader in(*stream, buffer_of(1 + rng.below(200)));
    uint32_t i = 0;
    while (true) {
      auto line = co_await in.next_line();
      if (!line.has_value()) ledger->expected(line.error());
      if (!line.has_value()) break;
      if (!line->has_value()) {
        missing = i != count;
        break;
      }
      if (**line != std::string(i * 5 % 90, 'x') + std::to_string(i)) ledger->fault("another line");
      ++i;
    }
    static_cast<void>(co_await stream->close());
  }
  static_cast<void>(scope.leave());
  writer.cancel();
  auto ended = co_await writer;
  if (!ended.has_value()) ledger->expected(ended.error());
  if (ended.has_value() && missing) ledger->fault("lines are missing");
}

// --- Seeds ---------------------------------------------------------------------------------------

struct Outcomes {
  std::string violation;
  uint64_t hash = 0;
  uint64_t steps = 0;
  KernelCounts counts;
  uint64_t exchanged = 0, copied = 0, cut = 0, written = 0, reissued = 0, changes = 0;
  Backend backend = Backend::Epoll;
};

// What is left of a run that went wrong cannot be taken down in order.
[[noreturn]] void give_up(uint64_t seed, const std::string& violation, World& world) {
  std::printf("Failure: %s; reproduce with ZOKIO_SIM_SEED=%llu\n%s", violation.c_str(),
              static_cast<unsigned long long>(seed), world.describe().c_str());
  std::fflush(stdout);
  std::_Exit(1);
}

Outcomes run_seed(uint64_t seed) {
  Kernel kernel(KernelOptions::of(seed));
  Ledger ledger(kernel);
  Outcomes run;
  {
    WorldOptions options;
    options.seed = seed;
    options.kernel = &kernel;
    options.backend = seed % 3 == 0 ? Backend::Epoll : Backend::Auto;
    options.workers = 1 + static_cast<unsigned>(seed % 4);
    options.reactors = 1 + static_cast<unsigned>(seed / 4 % options.workers);
    options.reactor_one_in = seed % 5 == 0 ? 40 : 0;
    World world(options);
    world.spawn(echo, &ledger, seed * 31 + 1).detach();
    world.spawn(records, &ledger, seed * 37 + 2).detach();
    world.spawn(replacements, &ledger, seed * 41 + 3).detach();
    world.spawn(transfer, &ledger, seed * 43 + 4).detach();
    world.spawn(lines, &ledger, seed * 47 + 5).detach();
    run.violation = world.run();
    if (!run.violation.empty()) give_up(seed, run.violation, world);
    run.hash = world.trace_hash();
    run.steps = world.steps();
    run.changes = world.reactor_changes();
    run.backend = world.driver()->backend();
    if (run.violation.empty() && kernel.options().setup_error != 0 && run.backend != Backend::Epoll)
      run.violation = "no ring was to be had, and one is used";
  }
  if (run.violation.empty()) run.violation = ledger.wrong;
  if (run.violation.empty()) run.violation = kernel.violation();
  if (run.violation.empty() && kernel.ring_operations() != 0)
    run.violation = "operations are left in the kernel";
  run.counts = kernel.counts();
  run.exchanged = ledger.exchanged;
  run.copied = ledger.copied;
  run.cut = ledger.cut;
  run.written = ledger.written;
  return run;
}

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

TEST(IoSim, ProgramsOverAMadeUpKernel) {
  const uint64_t one = from_environment("ZOKIO_SIM_SEED", 0);
  const uint64_t first = one != 0 ? one : 1;
  const uint64_t last = one != 0 ? one : from_environment("ZOKIO_SIM_SEEDS", 3000);
  const uint64_t frames = mem::snapshot(mem::PoolId::Frames).objects_in_use;
  const uint64_t buffers = mem::snapshot(mem::PoolId::Buffers).objects_in_use;
  Outcomes sum;
  uint64_t rings = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    const Outcomes run = run_seed(seed);
    ASSERT_EQ(run.violation, "") << "reproduce with ZOKIO_SIM_SEED=" << seed;
    ASSERT_EQ(mem::snapshot(mem::PoolId::Frames).objects_in_use, frames)
        << "frames are left; reproduce with ZOKIO_SIM_SEED=" << seed;
    ASSERT_EQ(mem::snapshot(mem::PoolId::Buffers).objects_in_use, buffers)
        << "buffers are left; reproduce with ZOKIO_SIM_SEED=" << seed;
    rings += run.backend == Backend::Uring;
    sum.steps += run.steps;
    sum.exchanged += run.exchanged;
    sum.copied += run.copied;
    sum.cut += run.cut;
    sum.written += run.written;
    sum.changes += run.changes;
    sum.counts.shorts += run.counts.shorts;
    sum.counts.transients += run.counts.transients;
    sum.counts.resets += run.counts.resets;
    sum.counts.disk_errors += run.counts.disk_errors;
    sum.counts.cancels += run.counts.cancels;
    sum.counts.cancels_lost += run.counts.cancels_lost;
    sum.counts.no_buffers += run.counts.no_buffers;
    sum.counts.overflows += run.counts.overflows;
    sum.counts.busy += run.counts.busy;
  }
  const auto n = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "%llu seeds (%llu on rings), %llu steps: %llu messages, %llu files, %llu records, %llu cut; "
      "%llu short, %llu transient, %llu resets, %llu disk errors, %llu cancels (%llu lost), %llu "
      "without buffer, %llu overflows, %llu busy, %llu reactors came or went\n",
      n(last - first + 1), n(rings), n(sum.steps), n(sum.exchanged), n(sum.copied), n(sum.written),
      n(sum.cut), n(sum.counts.shorts), n(sum.counts.transients), n(sum.counts.resets),
      n(sum.counts.disk_errors), n(sum.counts.cancels), n(sum.counts.cancels_lost),
      n(sum.counts.no_buffers), n(sum.counts.overflows), n(sum.counts.busy), n(sum.changes));
  if (last - first < 500) return;
  // The faults did happen, and the programs got through all the same.
  EXPECT_GT(sum.exchanged, last - first);
  EXPECT_GT(sum.cut, (last - first) / 4);
  EXPECT_GT(sum.counts.shorts, last - first);
  EXPECT_GT(sum.counts.transients, last - first);
  EXPECT_GT(sum.counts.cancels_lost, (last - first) / 4);
  EXPECT_GT(sum.counts.busy, last - first);
  EXPECT_GT(sum.counts.resets, (last - first) / 4);
  EXPECT_GT(rings, (last - first) / 4);
  EXPECT_LT(rings, (last - first) * 3 / 4);
}

// --- A cancel at every step ----------------------------------------------------------------------

// What came back stays as it is, whatever the kernel had begun: nothing lands in it any more.
Task<void> settle(Ledger* ledger, mem::Buffer buffer) {
  ledger->owned(buffer);
  if (!buffer) co_return;
  std::memset(buffer.data(), 0x5a, buffer.capacity());
  {
    Shield shield;
    static_cast<void>(co_await sleep(std::chrono::milliseconds(3)));
  }
  for (const std::byte byte : Bytes(buffer.space()))
    if (byte != std::byte{0x5a}) ledger->fault("something landed after the end was reported");
}

struct Pair {
  net::TcpListener listener;
  net::TcpStream here, there;
};

Task<Result<void>> make_pair(Pair* pair) {
  ZOKIO_CO_TRY(pair->listener, net::TcpListener::bind(net::Address::loopback(0)));
  ZOKIO_CO_TRY(const net::Address address, pair->listener.local_address());
  auto [here, there] = co_await when_all(net::TcpStream::connect(address), pair->listener.accept());
  if (!here.has_value()) co_return fail(here.error());
  if (!there.has_value()) co_return fail(there.error());
  pair->here = *std::move(here);
  pair->there = *std::move(there);
  co_return Result<void>();
}

Task<void> talk(Ledger* ledger, bool picked) {
  Pair pair;
  auto made = co_await make_pair(&pair);
  if (!made.has_value()) co_return;
  const auto late = [](net::TcpStream* to, std::size_t bytes) -> Task<IoResult> {
    static_cast<void>(co_await sleep(std::chrono::microseconds(300)));
    mem::Buffer out = buffer_of(bytes);
    out.resize(bytes);
    co_return co_await to->write_all(std::move(out));
  };
  if (picked) {
    auto [put, got] = co_await when_all(late(&pair.there, 400), pair.here.receive(700));
    co_await settle(ledger, std::move(put->buffer));
    if (got.has_value()) co_await settle(ledger, *std::move(got));
  } else {
    auto [put, got] =
        co_await when_all(late(&pair.there, 3000), pair.here.read_exactly(buffer_of(3000), 3000));
    co_await settle(ledger, std::move(put->buffer));
    co_await settle(ledger, std::move(got->buffer));
  }
  static_cast<void>(co_await pair.here.close());
}

Task<void> talk_into_buffer(Ledger* ledger) {
  return talk(ledger, false);
}
Task<void> talk_picked(Ledger* ledger) {
  return talk(ledger, true);
}

Task<void> keep_file(Ledger* ledger) {
  auto file = co_await fs::File::open("cut", {.write = true, .create = true});
  if (!file.has_value()) co_return;
  mem::Buffer content = buffer_of(900);
  content.resize(900);
  IoResult put = co_await file->write_all_at(std::move(content), 100);
  co_await settle(ledger, std::move(put.buffer));
  IoResult got = co_await file->read_full_at(buffer_of(1200), 0);
  co_await settle(ledger, std::move(got.buffer));
  static_cast<void>(co_await file->allocate(0, 4096));
  static_cast<void>(co_await file->resize(50));
  static_cast<void>(co_await file->sync());
  static_cast<void>(co_await file->stat());
  static_cast<void>(co_await fs::mkdir("folder"));
  static_cast<void>(co_await fs::rename("cut", "folder/cut"));
  static_cast<void>(co_await fs::unlink("folder/cut"));
  static_cast<void>(co_await fs::remove_dir("folder"));
  static_cast<void>(co_await file->close());
}

Task<void> replace(Ledger* ledger) {
  mem::Buffer content = buffer_of(900);
  content.resize(900);
  IoResult put = co_await fs::replace_file("kept", std::move(content));
  co_await settle(ledger, std::move(put.buffer));
}

// Cancelled at that step (0: never). Returns the number of steps; 0 when something was wrong.
uint64_t cut_at(Task<void> (*program)(Ledger*), KernelOptions how, Backend backend, uint64_t cut) {
  Kernel kernel(how);
  Ledger ledger(kernel);
  uint64_t steps = 0;
  {
    WorldOptions options;
    options.seed = how.seed;
    options.kernel = &kernel;
    options.backend = backend;
    options.workers = options.reactors = 2;
    JoinHandle<void> task;
    options.before_step = [&](uint64_t step) {
      if (step == cut && cut != 0) task.cancel();
    };
    World world(options);
    task = world.spawn(program, &ledger);
    const std::string violation = world.run();
    if (!violation.empty()) give_up(cut, violation, world);
    steps = world.steps();
  }
  EXPECT_EQ(ledger.wrong, "") << "cut at step " << cut;
  EXPECT_EQ(kernel.violation(), "") << "cut at step " << cut;
  EXPECT_EQ(kernel.ring_operations(), 0u) << "cut at step " << cut;
  return ledger.wrong.empty() ? steps : 0;
}

TEST(IoSim, ACancelAtEveryStep) {
  const uint64_t frames = mem::snapshot(mem::PoolId::Frames).objects_in_use;
  const uint64_t buffers = mem::snapshot(mem::PoolId::Buffers).objects_in_use;
  for (const auto program : {talk_into_buffer, talk_picked, keep_file, replace}) {
    for (const Backend backend : {Backend::Uring, Backend::Epoll}) {
      for (const uint32_t lost_one_in : {0u, 2u}) {
        KernelOptions how;
        how.seed = 7 + lost_one_in;
        how.cancel_lost_one_in = lost_one_in;
        how.delay_one_in = 2;
        how.socket_bytes = 512;
        const uint64_t steps = cut_at(program, how, backend, 0);
        ASSERT_GT(steps, 10u);
        for (uint64_t cut = 1; cut <= steps; ++cut) {
          ASSERT_NE(cut_at(program, how, backend, cut), 0u);
          ASSERT_EQ(mem::snapshot(mem::PoolId::Frames).objects_in_use, frames) << cut;
          ASSERT_EQ(mem::snapshot(mem::PoolId::Buffers).objects_in_use, buffers) << cut;
        }
      }
    }
  }
}

TEST(IoSim, TheSameSeedGivesTheSameTrace) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const Outcomes first = run_seed(seed);
    const Outcomes second = run_seed(seed);
    EXPECT_EQ(first.hash, second.hash) << seed;
    EXPECT_EQ(first.steps, second.steps) << seed;
  }
  EXPECT_NE(run_seed(1).hash, run_seed(2).hash);
}

}  // namespace
}  // namespace zokio::sim
