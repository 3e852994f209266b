// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/signals.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "zokio/base/clock.h"

namespace zokiod::lifecycle {
namespace {

constexpr int kChildPauseMs = 100;

sigset_t watched() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
  return set;
}

}  // namespace

void block_signals() {
  const sigset_t set = watched();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

zokio::Result<std::unique_ptr<SignalThread>> SignalThread::start(Handlers handlers) {
  const sigset_t set = watched();
  zokio::os::Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return zokio::fail_errno(errno, "signalfd");
  zokio::os::Fd quit(::eventfd(0, EFD_CLOEXEC));
  if (!quit) return zokio::fail_errno(errno, "eventfd");
  return std::unique_ptr<SignalThread>(
      new SignalThread(std::move(handlers), std::move(signals), std::move(quit)));
}

SignalThread::SignalThread(Handlers handlers, zokio::os::Fd signals, zokio::os::Fd quit)
    : handlers_(std::move(handlers)),
      signals_(std::move(signals)),
      quit_(std::move(quit)),
      thread_([this] { run(); }) {}

SignalThread::~SignalThread() {
  const uint64_t one = 1;
  // An eventfd takes eight bytes, or the program has closed somebody else's descriptor.
  static_cast<void>(!::write(quit_.get(), &one, sizeof one));
  thread_.join();
}

void SignalThread::run() {
  ::pthread_setname_np(::pthread_self(), "zokiod-signals");
  zokio::Instant child_free;  // when the child handler may run again
  while (true) {
    pollfd fds[2] = {{signals_.get(), POLLIN, 0}, {quit_.get(), POLLIN, 0}};
    const int timeout = child_due_ ? kChildPauseMs : -1;
    if (::poll(fds, 2, timeout) < 0 && errno != EINTR) return;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) == sizeof info)
      dispatch(static_cast<int>(info.ssi_signo));
    if (child_due_ && zokio::Instant::now() >= child_free) {
      child_due_ = false;
      handlers_.child();
      child_free = zokio::Instant::now() + std::chrono::milliseconds(kChildPauseMs);
    }
  }
}

void SignalThread::dispatch(int signal) {
  switch (signal) {
    case SIGTERM:
    case SIGINT:
      handlers_.stop(signal, ++stops_);
      break;
    case SIGHUP:
      handlers_.reload();
      break;
    case SIGCHLD:
      child_due_ = true;
      break;
    default:
      break;
  }
}

}  // namespace zokiod::lifecycle
