// SPDX-License-Identifier: Apache-2.0
//
// The echo server as io_uring allows it to be: multishot accept and receive, buffers that the
// kernel picks, answers sent out of the buffer that came. The mark for our own.

#include <memory>
#include <vector>

#include "ring.h"

namespace bench::io {
namespace {

enum Kind : uint64_t { kAccept, kReceive, kSend, kInput };

constexpr uint64_t tag(Kind kind, unsigned fd, unsigned buffer = 0) {
  return uint64_t{kind} << 56 | uint64_t{buffer} << 32 | fd;
}

// Answers of a connection go out one after the other: what came meanwhile waits.
struct Peer {
  struct Part {
    unsigned buffer, bytes, sent;
  };
  std::vector<Part> parts;
  std::size_t first = 0;
  bool ended = false;
};

class Server {
 public:
  explicit Server(unsigned message) : ring_(1024) {
    const unsigned bytes = buffer_bytes(message);
    ring_.provide_buffers(bytes > 4096 ? 512 : 2048, bytes);
    listener_ = listen_on_loopback(0);
  }

  void run() {
    announce(port_of(listener_));
    accept_many();
    io_uring_sqe* sqe = ring_.entry();
    io_uring_prep_read(sqe, STDIN_FILENO, &input_, 1, 0);
    sqe->user_data = tag(kInput, 0);
    while (true) ring_.turn([this](const io_uring_cqe& cqe) { on(cqe); });
  }

 private:
  void accept_many() {
    io_uring_sqe* sqe = ring_.entry();
    io_uring_prep_multishot_accept(sqe, listener_, nullptr, nullptr, SOCK_CLOEXEC);
    sqe->user_data = tag(kAccept, 0);
  }

  void on(const io_uring_cqe& cqe) {
    const auto fd = static_cast<unsigned>(cqe.user_data);
    switch (static_cast<Kind>(cqe.user_data >> 56)) {
      case kAccept:
        on_accept(cqe);
        break;
      case kReceive:
        on_receive(fd, cqe);
        break;
      case kSend:
        on_sent(fd, cqe);
        break;
      case kInput:
        report_and_exit();
    }
  }

  void on_accept(const io_uring_cqe& cqe) {
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) accept_many();
    if (cqe.res < 0) return;
    const auto fd = static_cast<unsigned>(cqe.res);
    set_no_delay(cqe.res);
    if (peers_.size() <= fd) peers_.resize(fd + 1);
    peers_[fd] = std::make_unique<Peer>();
    ring_.receive_many(cqe.res, tag(kReceive, fd));
  }

  void on_receive(unsigned fd, const io_uring_cqe& cqe) {
    Peer& peer = *peers_[fd];
    if (cqe.res > 0) {
      peer.parts.push_back(
          {cqe.flags >> IORING_CQE_BUFFER_SHIFT, static_cast<unsigned>(cqe.res), 0});
      if (peer.parts.size() - peer.first == 1) send_first(fd, peer);
    }
    if ((cqe.flags & IORING_CQE_F_MORE) != 0) return;
    if (cqe.res > 0 || cqe.res == -ENOBUFS)
      ring_.receive_many(static_cast<int>(fd), tag(kReceive, fd));
    else
      end(fd, peer);
  }

  void send_first(unsigned fd, Peer& peer) {
    const Peer::Part& part = peer.parts[peer.first];
    ring_.send(static_cast<int>(fd), ring_.buffer(part.buffer) + part.sent, part.bytes - part.sent,
               tag(kSend, fd, part.buffer));
  }

  void on_sent(unsigned fd, const io_uring_cqe& cqe) {
    Peer& peer = *peers_[fd];
    Peer::Part& part = peer.parts[peer.first];
    part.sent = cqe.res < 0 ? part.bytes : part.sent + static_cast<unsigned>(cqe.res);
    if (part.sent == part.bytes) {
      ring_.give_back(part.buffer);
      if (++peer.first == peer.parts.size()) {
        peer.parts.clear();
        peer.first = 0;
        if (peer.ended) end(fd, peer);
        return;
      }
    }
    send_first(fd, peer);
  }

  void end(unsigned fd, Peer& peer) {
    peer.ended = true;
    if (!peer.parts.empty()) return;
    peers_[fd].reset();
    close(static_cast<int>(fd));
  }

  RawRing ring_;
  int listener_ = -1;
  char input_ = 0;
  std::vector<std::unique_ptr<Peer>> peers_;  // by descriptor
};

}  // namespace
}  // namespace bench::io

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "list") {
    std::puts("echo");
    return 0;
  }
  if (argc != 3) return 2;
  bench::io::Server(static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10))).run();
}
