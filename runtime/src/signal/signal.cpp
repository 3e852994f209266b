// SPDX-License-Identifier: Apache-2.0
#include "zokio/signal/signal.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <cstring>

#include "io/ops/read.h"

namespace zokio::signal {

void block(std::initializer_list<int> signals) noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : signals) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

Result<Signals> Signals::open(std::initializer_list<int> signals) {
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  sigset_t set;
  sigemptyset(&set);
  for (const int number : signals) {
    if (number == SIGKILL || number == SIGSTOP || sigaddset(&set, number) != 0) {
      return fail(Errc::InvalidArgument, "signals");
    }
    if (sigismember(&blocked, number) != 1) return fail(Errc::FailedPrecondition, "signals");
  }
  Signals out;
  out.fd_ = os::Fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!out.fd_) return fail_errno(errno, "signalfd");
  ZOKIO_TRY(out.buffer_, mem::lease(sizeof(signalfd_siginfo)));
  return out;
}

Task<Result<SignalInfo>> Signals::next() {
  io::ReadOp op(fd_.get(), std::move(buffer_), io::kNoOffset);
  co_await op;
  IoResult got = op.take();
  buffer_ = std::move(got.buffer);
  if (!got.n.has_value()) co_return fail(got.n.error());
  signalfd_siginfo info{};
  if (*got.n != sizeof info) co_return fail(Errc::Internal, "signals");
  std::memcpy(&info, buffer_.data(), sizeof info);
  co_return SignalInfo{.number = static_cast<int>(info.ssi_signo),
                       .pid = static_cast<pid_t>(info.ssi_pid),
                       .uid = info.ssi_uid,
                       .status = info.ssi_status};
}

}  // namespace zokio::signal
