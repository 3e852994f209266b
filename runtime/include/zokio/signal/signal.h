// SPDX-License-Identifier: Apache-2.0
#pragma once

// Signals as a stream, read by a task like anything else (signalfd): no handler, and nothing is
// interrupted.
//
//   int main() {
//     zokio::signal::block({SIGTERM, SIGINT});        // first, before any thread
//     auto runtime = zokio::Runtime::create();
//     ...
//   zokio::Task<void> until_asked() {
//     auto signals = zokio::signal::Signals::open({SIGTERM, SIGINT});
//     auto first = co_await signals->next();
//
// A signal that is sent several times before it is read may come once, as always with signals.

#include <sys/types.h>

#include <initializer_list>

#include "zokio/base/result.h"
#include "zokio/mem/buffer.h"
#include "zokio/os/fd.h"
#include "zokio/task/task.h"

namespace zokio::signal {

struct SignalInfo {
  int number = 0;
  pid_t pid = 0;  // who sent it, when somebody did
  uid_t uid = 0;
  int status = 0;  // of SIGCHLD: exit code or signal
};

// Blocks these signals for this thread and those it starts from now on, so that they wait for
// Signals instead of ending the process. Thread: main, before any other exists.
void block(std::initializer_list<int> signals) noexcept;

class Signals {
 public:
  Signals() = default;
  // Errors: FailedPrecondition (one of them is not blocked on this thread: see block),
  // InvalidArgument (SIGKILL, SIGSTOP, no such signal), ResourceExhausted (descriptors, memory).
  static Result<Signals> open(std::initializer_list<int> signals);

  // The next signal. Cancel: none is lost. Thread: one task at a time.
  Task<Result<SignalInfo>> next();
  int fd() const noexcept { return fd_.get(); }

 private:
  os::Fd fd_;
  mem::Buffer buffer_;
};

}  // namespace zokio::signal
