// SPDX-License-Identifier: Apache-2.0
//
// The load of `./dev bench io`: one thread, the same for every server.
//
//   bench_io_load echo <port> <connections> <message bytes> <ms>
//
// keeps one message of each connection under way: a message goes out when the answer to the one
// before has come, and every byte of it is compared. After a warm-up of a third it counts, and
// prints {"per_second","total","p50","p99","p999"}: the total with the warm-up, the latencies in
// nanoseconds. Ends with 1 when an answer differs.
//
//   bench_io_load churn <port> <message bytes> <ms>      connect, one message and its answer, close
//   bench_io_load idle <port> <connections>              connects, prints {"idle":N}, waits for the
//                                                        end of standard input

#include <memory>
#include <vector>

#include "ring.h"

namespace bench::io {
namespace {

// Counts by nanoseconds, 32 steps for each power of two: 3 % wide.
class Histogram {
 public:
  void add(uint64_t ns) {
    ++counts_[index(ns)];
    ++total_;
  }
  void clear() {
    std::fill(counts_.begin(), counts_.end(), 0);
    total_ = 0;
  }
  uint64_t total() const { return total_; }
  double at(double part) const {
    auto left = static_cast<uint64_t>(part * static_cast<double>(total_));
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] > left) return static_cast<double>(lowest(i));
      left -= counts_[i];
    }
    return 0;
  }

 private:
  static constexpr unsigned kBits = 5;
  static std::size_t index(uint64_t ns) {
    if (ns < (1u << kBits)) return ns;
    const unsigned top = 63u - static_cast<unsigned>(__builtin_clzll(ns));
    return (std::size_t{top - kBits + 1} << kBits) | ((ns >> (top - kBits)) & ((1u << kBits) - 1));
  }
  static uint64_t lowest(std::size_t i) {
    const auto octave = static_cast<unsigned>(i >> kBits);
    if (octave == 0) return i;
    return ((uint64_t{1} << kBits) | (i & ((1u << kBits) - 1))) << (octave - 1);
  }
  std::vector<uint64_t> counts_ = std::vector<uint64_t>(64 << kBits);
  uint64_t total_ = 0;
};

// What a run counts: nothing in its first quarter, which is the warm-up.
class Meter {
 public:
  explicit Meter(int64_t ms)
      : count_from_(now_ns() + ms * 333'333), until_(now_ns() + ms * 1'333'333) {}

  void answered(int64_t sent_at) {
    ++total_;
    latency_.add(static_cast<uint64_t>(now_ns() - sent_at));
  }
  // False when the time is over.
  bool go_on() {
    const int64_t now = now_ns();
    if (began_ == 0 && now >= count_from_) {
      began_ = now;
      latency_.clear();
    }
    ended_ = now;
    return now < until_;
  }
  void print() const {
    std::printf("{\"per_second\":%.1f,\"total\":%llu,\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f}\n",
                static_cast<double>(latency_.total()) * 1e9 / static_cast<double>(ended_ - began_),
                static_cast<unsigned long long>(total_), latency_.at(0.5), latency_.at(0.99),
                latency_.at(0.999));
  }

 private:
  const int64_t count_from_, until_;
  int64_t began_ = 0, ended_ = 0;
  uint64_t total_ = 0;
  Histogram latency_;
};

int connect_to(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  const sockaddr_in address = loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("connect");
  set_no_delay(fd);
  return fd;
}

[[noreturn]] void fail(const char* why) {
  std::fprintf(stderr, "%s\n", why);
  std::exit(1);
}

struct Connection {
  int fd = -1;
  unsigned received = 0;  // of the answer
  uint64_t number = 0;    // of the message; its first eight bytes
  int64_t sent_at = 0;
  std::vector<char> message;
};

// user_data: the connection, and whether it is the end of a send.
constexpr uint64_t kSent = uint64_t{1} << 63;

class Echo {
 public:
  Echo(uint16_t port, unsigned connections, unsigned bytes) : bytes_(bytes), ring_(1024) {
    unsigned buffers = 64;
    while (buffers < 2 * connections && buffers < 4096) buffers *= 2;
    ring_.provide_buffers(buffers, buffer_bytes(bytes));
    SplitMix random{connections};
    for (unsigned i = 0; i < connections; ++i) {
      Connection& c = connections_.emplace_back();
      c.fd = connect_to(port);
      c.message.resize(bytes);
      for (char& byte : c.message) byte = static_cast<char>(random.next());
      ring_.receive_many(c.fd, i);
    }
  }

  void run(int64_t ms) {
    Meter meter(ms);
    meter_ = &meter;
    for (unsigned i = 0; i < connections_.size(); ++i) send_next(i);
    while (meter.go_on()) ring_.turn([this](const io_uring_cqe& cqe) { on(cqe); });
    meter.print();
  }

 private:
  void send_next(unsigned i) {
    Connection& c = connections_[i];
    ++c.number;
    std::memcpy(c.message.data(), &c.number, sizeof c.number);
    c.received = 0;
    c.sent_at = now_ns();
    ring_.send(c.fd, c.message.data(), bytes_, i | kSent);
  }

  void on(const io_uring_cqe& cqe) {
    const auto i = static_cast<unsigned>(cqe.user_data & ~kSent);
    if ((cqe.user_data & kSent) != 0) {
      if (cqe.res != static_cast<int>(bytes_)) fail("a message was not sent");
      return;
    }
    Connection& c = connections_[i];
    if (cqe.res > 0) {
      const unsigned id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
      const auto n = static_cast<unsigned>(cqe.res);
      if (c.received + n > bytes_ ||
          std::memcmp(ring_.buffer(id), c.message.data() + c.received, n) != 0)
        fail("an answer differs");
      ring_.give_back(id);
      c.received += n;
    } else if (cqe.res != -ENOBUFS) {
      fail("a connection ended");
    }
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) ring_.receive_many(c.fd, i);
    if (c.received < bytes_) return;
    meter_->answered(c.sent_at);
    send_next(i);
  }

  const unsigned bytes_;
  RawRing ring_;
  std::vector<Connection> connections_;
  Meter* meter_ = nullptr;
};

// Short connections, one after the other.
void churn(uint16_t port, unsigned bytes, int64_t ms) {
  std::vector<char> out(bytes, 'x'), in(bytes);
  Meter meter(ms);
  while (meter.go_on()) {
    const int64_t at = now_ns();
    const int fd = connect_to(port);
    // A reset at the end instead of TIME_WAIT: the ports of a machine last for a second or two.
    const linger now{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    if (send(fd, out.data(), bytes, 0) != static_cast<ssize_t>(bytes)) die("send");
    if (recv(fd, in.data(), bytes, MSG_WAITALL) != static_cast<ssize_t>(bytes)) die("recv");
    close(fd);
    if (in != out) fail("an answer differs");
    meter.answered(at);
  }
  meter.print();
}

void idle(uint16_t port, unsigned connections) {
  std::vector<int> fds;
  for (unsigned i = 0; i < connections; ++i) fds.push_back(connect_to(port));
  std::printf("{\"idle\":%zu}\n", fds.size());
  std::fflush(stdout);
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

}  // namespace
}  // namespace bench::io

int main(int argc, char** argv) {
  using namespace bench::io;
  const auto number = [&](int i) { return std::strtoul(argv[i], nullptr, 10); };
  const std::string_view what = argc > 3 ? argv[1] : "";
  const auto port = static_cast<uint16_t>(argc > 2 ? number(2) : 0);
  if (what == "echo" && argc == 6) {
    Echo(port, static_cast<unsigned>(number(3)), static_cast<unsigned>(number(4)))
        .run(static_cast<int64_t>(number(5)));
  } else if (what == "churn" && argc == 5) {
    churn(port, static_cast<unsigned>(number(3)), static_cast<int64_t>(number(4)));
  } else if (what == "idle" && argc == 4) {
    idle(port, static_cast<unsigned>(number(3)));
  } else {
    std::fprintf(stderr,
                 "usage: %s echo PORT CONNECTIONS BYTES MS | churn PORT BYTES MS | "
                 "idle PORT CONNECTIONS\n",
                 argv[0]);
    return 2;
  }
}
