// SPDX-License-Identifier: Apache-2.0

// Connecting to whichever of several addresses answers first. The attempts are non-blocking
// connects in an epoll set of their own, and one operation polls that set: no task for each, and
// when this frame goes, so do they.

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "io/ops/poll.h"
#include "net/socket.h"
#include "zokio/net/resolve.h"
#include "zokio/net/socket_options.h"
#include "zokio/net/tcp_stream.h"
#include "zokio/time/deadline.h"

namespace zokio::net {
namespace {

// The families in turn, each in the order given.
std::vector<Address> interleave(const std::vector<Address>& addresses) {
  std::vector<Address> out;
  out.reserve(addresses.size());
  const int first = addresses.front().family();
  std::size_t next[2] = {0, 0};
  for (unsigned turn = 0; out.size() < addresses.size(); ++turn) {
    std::size_t& at = next[turn % 2];
    while (at < addresses.size() && (addresses[at].family() == first) != (turn % 2 == 0)) ++at;
    if (at < addresses.size()) out.push_back(addresses[at++]);
  }
  return out;
}

class Attempts {
 public:
  Result<void> open() {
    set_ = os::Fd(epoll_create1(EPOLL_CLOEXEC));
    if (!set_) return fail_errno(errno, "connect");
    return {};
  }
  int set() const noexcept { return set_.get(); }
  std::size_t pending() const noexcept { return pending_; }
  const Error& last_error() const noexcept { return last_error_; }

  // The connection when there is one at once; otherwise it is pending, or has failed.
  os::Fd start(const Address& address) {
    auto made = make_socket(address.family(), SOCK_STREAM);
    if (!made.has_value()) return failed(made.error());
    os::Fd fd = *std::move(made);
    if (::connect(fd.get(), address.data(), address.size()) == 0) return fd;
    if (errno != EINPROGRESS) return failed(Error::from_errno(errno, "connect"));
    epoll_event event{.events = EPOLLOUT | EPOLLONESHOT, .data = {.u64 = sockets_.size()}};
    if (epoll_ctl(set(), EPOLL_CTL_ADD, fd.get(), &event) != 0) {
      return failed(Error::from_errno(errno, "connect"));
    }
    sockets_.push_back(std::move(fd));
    ++pending_;
    return {};
  }

  // One that is connected, or none; those that failed are closed. True in `failed_some` then.
  os::Fd collect(bool& failed_some) {
    std::array<epoll_event, 16> events;
    const int n = epoll_wait(set(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < n; ++i) {
      os::Fd fd = std::move(sockets_[events[static_cast<std::size_t>(i)].data.u64]);
      --pending_;
      int error = 0;
      socklen_t length = sizeof error;
      if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
      if (error == 0) return fd;
      failed_some = true;
      last_error_ = Error::from_errno(error, "connect");
    }
    return {};
  }

 private:
  os::Fd failed(const Error& error) {
    last_error_ = error;
    return {};
  }

  os::Fd set_;
  std::vector<os::Fd> sockets_;
  std::size_t pending_ = 0;
  Error last_error_ = Error(Errc::Unavailable, "connect");
};

enum class Woken : uint8_t { Event, Late, Cancelled };

// Until something happens in the set, or `deadline`.
Task<Result<Woken>> wait_in(int set, Instant deadline) {
  io::PollOp op(set, POLLIN);
  bool late = false;
  if (deadline.is_never()) {
    co_await op;
  } else {
    time::DeadlineScope scope(deadline);
    co_await op;
    late = scope.leave();
  }
  if (op.result() >= 0) co_return Woken::Event;
  if (op.result() != -ECANCELED) co_return fail(io::error_of(op));
  co_return late ? Woken::Late : Woken::Cancelled;
}

TcpStream connected(os::Fd fd) {
  static_cast<void>(set_no_delay(fd.get(), true));  // its failure does no harm
  return TcpStream(std::move(fd));
}

}  // namespace

Task<Result<TcpStream>> TcpStream::connect_any(std::vector<Address> addresses, Duration stagger) {
  if (addresses.empty()) co_return fail(Errc::InvalidArgument, "connect");
  addresses = interleave(addresses);
  Attempts attempts;
  ZOKIO_CO_CHECKED(attempts.open());
  std::size_t next = 0;
  bool start_next = true;
  for (;;) {
    // One that fails at once costs no time.
    while (next < addresses.size() && (start_next || attempts.pending() == 0)) {
      const std::size_t before = attempts.pending();
      os::Fd fd = attempts.start(addresses[next++]);
      if (fd) co_return connected(std::move(fd));
      start_next = attempts.pending() == before;  // it has failed already
    }
    if (attempts.pending() == 0 && next == addresses.size()) co_return fail(attempts.last_error());
    const Instant deadline = next < addresses.size() ? Instant::now() + stagger : Instant::never();
    ZOKIO_CO_TRY(const Woken woken, co_await wait_in(attempts.set(), deadline));
    if (woken == Woken::Cancelled) co_return fail(Errc::Cancelled, "connect");
    start_next = woken == Woken::Late;
    os::Fd fd = attempts.collect(start_next);
    if (fd) co_return connected(std::move(fd));
  }
}

Task<Result<TcpStream>> TcpStream::connect_host(std::string host, uint16_t port) {
  ZOKIO_CO_TRY(std::vector<Address> addresses, co_await resolve(std::move(host), port));
  co_return co_await connect_any(std::move(addresses));
}

}  // namespace zokio::net
