// SPDX-License-Identifier: Apache-2.0
#include "zokio/process/child.h"

#include <poll.h>
#include <signal.h>
#include <string.h>

#include <cerrno>
#include <utility>

#include "io/driver.h"
#include "io/ops/poll.h"
#include "io/ops/read.h"
#include "io/ops/waitid.h"
#include "os/pidfd.h"

namespace zokio::process {

Task<IoResult> PipeReader::read(mem::Buffer buffer, std::size_t skip, std::size_t limit) {
  if (skip >= buffer.capacity() || limit == 0) co_return io::no_room(std::move(buffer), "read");
  io::ReadOp op(fd(), std::move(buffer), io::kNoOffset, skip, limit);
  co_await op;
  co_return op.take();
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      output_(std::move(other.output_)),
      error_(std::move(other.error_)) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    end_now();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    output_ = std::move(other.output_);
    error_ = std::move(other.error_);
  }
  return *this;
}

Child::~Child() {
  end_now();
}

void Child::end_now() noexcept {
  if (!pidfd_) return;
  static_cast<void>(kill_group(SIGKILL));
  // The child may have left its group.
  static_cast<void>(kill(SIGKILL));
  siginfo_t info{};
  static_cast<void>(os::reap_pidfd(pidfd_.get(), true, info));
  pidfd_.reset();
}

Task<Result<void>> Child::exited() {
  if (!pidfd_) co_return fail(Errc::FailedPrecondition, "wait", Detail::Closed);
  // A ring whose kernel has no waitid would block a thread with it.
  const io::Driver* driver = task::context().driver;
  const bool poll = driver != nullptr && driver->backend() == Backend::Uring &&
                    !driver->native(io::kOpcodeWaitid);
  if (poll) {
    io::PollOp op(pidfd_.get(), POLLIN);
    co_await op;
    if (op.result() < 0) co_return fail(io::error_of(op));
  } else {
    io::WaitIdOp op(pidfd_.get());
    co_await op;
    if (op.result() < 0) co_return fail(io::error_of(op));
  }
  co_return Result<void>();
}

Result<ExitStatus> Child::reap() noexcept {
  if (!pidfd_) return fail(Errc::FailedPrecondition, "wait", Detail::Closed);
  siginfo_t info{};
  ZOKIO_TRY(const bool ended, os::reap_pidfd(pidfd_.get(), false, info));
  if (!ended) return fail(Errc::FailedPrecondition, "wait");
  pidfd_.reset();
  if (info.si_code == CLD_EXITED) return ExitStatus{.code = info.si_status};
  return ExitStatus{
      .signaled = true, .signal = info.si_status, .core_dumped = info.si_code == CLD_DUMPED};
}

Task<Result<ExitStatus>> Child::wait() {
  ZOKIO_CO_CHECKED(co_await exited());
  co_return reap();
}

Result<void> Child::kill(int signal) noexcept {
  if (!pidfd_) return fail(Errc::FailedPrecondition, "kill", Detail::Closed);
  return os::signal_pidfd(pidfd_.get(), signal);
}

Result<void> Child::kill_group(int signal) noexcept {
  if (!pidfd_) return fail(Errc::FailedPrecondition, "kill", Detail::Closed);
  if (::kill(-pid_, signal) != 0) return fail_errno(errno, "kill");
  return {};
}

std::string ExitStatus::to_string() const {
  if (!signaled) return "exit code " + std::to_string(code);
  const char* name = sigdescr_np(signal);
  std::string text = "signal " + std::to_string(signal);
  if (name != nullptr) text += " (" + std::string(name) + ")";
  if (core_dumped) text += ", core dumped";
  return text;
}

}  // namespace zokio::process
