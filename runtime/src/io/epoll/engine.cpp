// SPDX-License-Identifier: Apache-2.0
#include "io/epoll/engine.h"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "io/op.h"
#include "io/reactor.h"
#include "os/eventfd.h"
#include "os/fd_generation.h"
#include "zokio/base/assert.h"

namespace zokio::io {
namespace {

static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR &&
              POLLHUP == EPOLLHUP && POLLPRI == EPOLLPRI);

constexpr uint64_t kBell = UINT64_MAX;
// Events of one system call; more are fetched by the next turn.
constexpr int kEventsMax = 256;

constexpr uint32_t kBoth = EPOLLIN | EPOLLOUT;
constexpr uint32_t kEnded = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

uint32_t interest_of(const Op& op) noexcept {
  return static_cast<uint32_t>(static_cast<unsigned short>(op.interest()));
}

}  // namespace

Result<std::unique_ptr<Engine>> make_epoll_engine(Reactor& reactor) {
  os::Fd set(epoll_create1(EPOLL_CLOEXEC));
  if (!set) return fail_errno(errno, "epoll_create1");
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kBell}};
  if (epoll_ctl(set.get(), EPOLL_CTL_ADD, reactor.bell_fd(), &event) != 0) {
    return fail_errno(errno, "epoll_ctl");
  }
  return std::make_unique<EpollEngine>(reactor, std::move(set));
}

EpollEngine::EpollEngine(Reactor& reactor, os::Fd set) noexcept
    : reactor_(reactor), set_(std::move(set)) {}

EpollEngine::Registration& EpollEngine::registration_of(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  if (index >= registrations_.size())
    registrations_.resize(std::max(index + 1, registrations_.size() * 2));
  Registration& registration = registrations_[index];
  if (registration.edge && registration.generation != os::fd_generation(fd)) {
    registration.edge = false;
    registration.ready = 0;
  }
  return registration;
}

bool EpollEngine::follow(int fd, Registration& registration) noexcept {
  if (!os::is_followed(fd)) return true;  // as what is no stream
  if (registration.edge) return true;
  const uint32_t generation = os::fd_generation(fd);
  epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET,
                    .data = {.u64 = static_cast<uint64_t>(fd)}};
  if (!add_or_change(fd, registration, event)) return false;
  registration.edge = true;
  registration.generation = generation;
  registration.armed = 0;
  registration.ready = kBoth;  // not known: the first attempts tell
  return true;
}

int64_t EpollEngine::attempt(Op& op, Registration& registration) noexcept {
  if (!registration.edge) return op.attempt();
  const uint32_t interest = interest_of(op) & kBoth;
  if (interest != 0 && (registration.ready & interest) == 0) return -EAGAIN;
  const int64_t result = op.attempt();
  // The other side has ended, so no further edge says that there is something to be had.
  if (op.would_block_next(result) && (registration.ready & kEnded) == 0)
    registration.ready &= ~interest;
  return result;
}

int64_t EpollEngine::try_now(Op& op) noexcept {
  if (!op.traits().stream) return op.attempt();
  const int fd = op.poll_fd();
  Registration& registration = registration_of(fd);
  if (!follow(fd, registration)) return -EAGAIN;
  return attempt(op, registration);
}

void EpollEngine::issue(Op& op) noexcept {
  const int fd = op.poll_fd();
  ZOKIO_CHECK(fd >= 0 && op.interest() != 0, "this operation cannot wait for readiness");
  Registration& registration = registration_of(fd);
  // Registered before the attempt: what becomes ready after it is an edge.
  if (op.traits().stream && !follow(fd, registration)) {
    reactor_.complete(op, -errno);
    return;
  }
  if (const int64_t result = attempt(op, registration); result != -EAGAIN) {
    reactor_.complete(op, result);
    return;
  }
  wait_for(op, fd, registration);
}

void EpollEngine::wait_for(Op& op, int fd, Registration& registration) noexcept {
  const bool watched =
      registration.edge ||
      (!registration.waiting.empty() && (registration.armed & interest_of(op)) == interest_of(op));
  registration.waiting.push_back(op);
  ++waiting_;
  if (watched || arm(fd, registration)) return;
  const int error = errno;
  registration.waiting.remove(op);
  --waiting_;
  reactor_.complete(op, -error);
}

// Makes the kernel report what the waiting operations want. False with errno.
bool EpollEngine::arm(int fd, Registration& registration) noexcept {
  uint32_t wanted = 0;
  for (Op* op = registration.waiting.front(); op != nullptr; op = op->engine.next) {
    wanted |= interest_of(*op);
  }
  epoll_event event{.events = wanted | EPOLLONESHOT, .data = {.u64 = static_cast<uint64_t>(fd)}};
  if (!add_or_change(fd, registration, event)) return false;
  registration.armed = wanted;
  return true;
}

// The number may have been closed and given to another object since: the set then has either
// forgotten it (ENOENT) or, for an object shared with another process, knows both.
bool EpollEngine::add_or_change(int fd, Registration& registration, epoll_event& event) noexcept {
  for (int tries = 0; tries < 3; ++tries) {
    reactor_.counters().enters.add();
    if (epoll_ctl(set_.get(), registration.added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) ==
        0) {
      registration.added = true;
      return true;
    }
    if (errno != ENOENT && errno != EEXIST) return false;
    registration.added = errno == EEXIST;
  }
  return false;
}

void EpollEngine::cancel(Op& op) noexcept {
  // What was armed for it may still report: an event without a waiting operation is ignored.
  registrations_[static_cast<std::size_t>(op.poll_fd())].waiting.remove(op);
  --waiting_;
  reactor_.complete(op, -ECANCELED);
}

void EpollEngine::pass(Instant deadline, unsigned limit) noexcept {
  std::array<epoll_event, kEventsMax> events;
  const int most = static_cast<int>(std::min<unsigned>(limit, kEventsMax));
  int n;
  reactor_.counters().enters.add();
  if (deadline == kNoWait || deadline <= Instant::now()) {
    n = epoll_wait(set_.get(), events.data(), most, 0);
  } else {
    timespec timeout{};
    const int64_t left = (deadline - Instant::now()).count();
    if (left > 0) timeout = {.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
    n = epoll_pwait2(set_.get(), events.data(), most, deadline.is_never() ? nullptr : &timeout,
                     nullptr);
    if (n < 0 && errno == ENOSYS) {  // Linux before 5.11 knows milliseconds only
      const int64_t ms = std::min<int64_t>(left / 1'000'000 + 1, INT32_MAX);
      n = epoll_wait(set_.get(), events.data(), most,
                     deadline.is_never() ? -1 : static_cast<int>(ms));
    }
  }
  ZOKIO_CHECK(n >= 0 || errno == EINTR, "epoll_wait failed");
  reactor_.end_sleep();
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == kBell) {
      os::drain_eventfd(reactor_.bell_fd());
      reactor_.bell_rang();
    } else {
      on_event(static_cast<int>(event.data.u64), event.events);
    }
  }
}

void EpollEngine::on_event(int fd, uint32_t events) noexcept {
  Registration& registration = registrations_[static_cast<std::size_t>(fd)];
  registration.armed = 0;
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) events |= kBoth;
  if ((events & EPOLLRDHUP) != 0) events |= EPOLLIN;
  registration.ready |= events & (kBoth | kEnded);
  // Bound: those that wait now. One that would block again goes to the end of the list.
  Op* const last = registration.waiting.back();
  for (Op* op = registration.waiting.front(); op != nullptr;) {
    Op* const next = op == last ? nullptr : op->engine.next;
    const auto interest = interest_of(*op);
    if ((events & interest) != 0) {
      const int64_t result = attempt(*op, registration);
      if (result != -EAGAIN) {
        registration.waiting.remove(*op);
        --waiting_;
        reactor_.complete(*op, result);
      }
    }
    op = next;
  }
  if (registration.edge || registration.waiting.empty() || arm(fd, registration)) return;
  const int error = errno;
  while (Op* op = registration.waiting.pop_front()) {
    --waiting_;
    reactor_.complete(*op, -error);
  }
}

}  // namespace zokio::io
