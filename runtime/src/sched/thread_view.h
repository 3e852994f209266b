// SPDX-License-Identifier: Apache-2.0
#pragma once

// What other threads may see of the thread that drives a worker: which task it is in, how long the
// system kept it waiting for a processor, and, on request, its stack.
//
// The thread gives nothing for it while nobody asks: the task is read out of its context, and the
// stack is taken in a signal handler. That is SIGURG, which is ignored by default and which
// debuggers pass on, and nobody else's unless a program uses out-of-band data with F_SETOWN; a
// handler that was there before is called for signals that are not ours.
//
// Thread: open() and close() the worker's; the rest the watchdog's, and current() any.

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "zokio/base/pinned.h"
#include "zokio/base/spin_lock.h"
#include "zokio/task/header.h"

namespace zokio::sched {

class ThreadView : Pinned {
 public:
  struct Stack {
    std::array<void*, 64> frames;
    int count = 0;
    task::Header* task = nullptr;  // the thread was in; not to be dereferenced
    uint64_t polls = 0;            // of the worker, then
    int64_t at_ns = 0;
  };

  // Begins and ends the time in which others may look.
  void open() noexcept;
  void close() noexcept;

  // The task it is in; null between two. A moment's answer, not to be dereferenced.
  task::Header* current() noexcept;
  // How the system treated the thread so far; zeros when it does not tell. A wait for a processor
  // counts when it is over.
  struct Times {
    uint64_t ran_ns = 0;
    uint64_t waited_ns = 0;  // ready to run, while another thread had the processor
    bool runnable = false;   // now; false: blocked in the kernel
  };
  Times times() noexcept;

  // Asks for the stack. False: there is no thread.
  bool ask() noexcept;
  // The answer, once.
  bool take_answer(Stack& out) noexcept;
  // No answer is wanted any more.
  void give_up() noexcept;

  // Prepares the process. Idempotent.
  static void install_handler();

 private:
  friend struct SignalEntry;
  // A small file of the kernel about the thread. Empty when there is none.
  std::string_view read_file(const char* name, std::array<char, 512>& text) noexcept;
  void answer(const task::Context& context) noexcept;

  enum : uint32_t { kNone, kAsked, kWriting, kAnswered };

  SpinLock lock_;
  // Guarded by lock_, which keeps the thread alive. Null: no thread.
  const task::Context* context_ = nullptr;
  pid_t tid_ = 0;

  std::atomic<uint32_t> state_{kNone};
  // Written in state kWriting, read in kAnswered.
  Stack stack_;
};

}  // namespace zokio::sched
