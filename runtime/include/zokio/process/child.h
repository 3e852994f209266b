// SPDX-License-Identifier: Apache-2.0
#pragma once

// A started process and the read ends of its output. It is named by its pidfd, so no signal ever
// reaches another process that got the same number.
//
// A Child that is destroyed before it was reaped kills its process group and reaps it: no zombie is
// left. That waits for the kernel to end a killed process, normally microseconds.
// Thread: one task at a time; kill and kill_group from any while the Child lives and is not reaped.

#include <sys/types.h>

#include "zokio/base/result.h"
#include "zokio/io/io_result.h"
#include "zokio/io/stream.h"
#include "zokio/os/fd.h"
#include "zokio/process/exit_status.h"
#include "zokio/task/task.h"

namespace zokio::process {

// The read end of a pipe.
class PipeReader {
 public:
  PipeReader() = default;
  explicit PipeReader(os::Fd fd) noexcept : fd_(std::move(fd)) {}

  // At most the buffer's capacity, from `skip` on (io/stream.h); n == 0: every writer is gone.
  // Cancel: nothing was read.
  Task<IoResult> read(mem::Buffer buffer, std::size_t skip = 0, std::size_t limit = io::kNoLimit);
  bool is_open() const noexcept { return static_cast<bool>(fd_); }
  // The writers get SIGPIPE from now on. Requires: no read in flight.
  void close() noexcept { fd_.reset(); }
  int fd() const noexcept { return fd_.get(); }

 private:
  os::Fd fd_;
};

class Child {
 public:
  Child() = default;
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  // exited() and reap() in one. To end what the child left behind in its group, call
  // exited(), kill_group(SIGKILL), reap(): while the child is not reaped its number names its
  // group.
  Task<Result<ExitStatus>> wait();
  // Until the process has ended; it stays a zombie. Cancel: Cancelled, the child runs on.
  Task<Result<void>> exited();
  // Takes the status of a process that has ended. Errors: FailedPrecondition (it runs, or was
  // reaped).
  Result<ExitStatus> reap() noexcept;

  // Errors: NotFound (ESRCH: ended), FailedPrecondition (reaped).
  Result<void> kill(int signal) noexcept;
  // To every process of its group.
  Result<void> kill_group(int signal) noexcept;

  // Not open when the output goes to /dev/null, or is merged into the other.
  PipeReader& standard_output() noexcept { return output_; }
  PipeReader& standard_error() noexcept { return error_; }

  pid_t pid() const noexcept { return pid_; }
  int pidfd() const noexcept { return pidfd_.get(); }
  bool reaped() const noexcept { return !pidfd_; }

 private:
  friend struct Command;
  Child(pid_t pid, os::Fd pidfd, PipeReader output, PipeReader error) noexcept
      : pid_(pid), pidfd_(std::move(pidfd)), output_(std::move(output)), error_(std::move(error)) {}
  void end_now() noexcept;

  pid_t pid_ = -1;
  os::Fd pidfd_;  // open until reaped
  PipeReader output_;
  PipeReader error_;
};

}  // namespace zokio::process
