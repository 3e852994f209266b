// SPDX-License-Identifier: Apache-2.0
#pragma once

// Signals as calls on one thread of its own: TERM and INT ask to stop (the second time: at once),
// HUP asks to reload, CHLD says that a child ended.
//
// block_signals() comes first in main, before any thread: threads inherit the mask, so no signal
// ever interrupts one of them. Handlers may block; the next signal waits for them.

#include <functional>
#include <memory>
#include <thread>

#include "zokio/base/result.h"
#include "zokio/os/fd.h"

namespace zokiod::lifecycle {

// Blocks what SignalThread waits for, and ignores SIGPIPE. Thread: main, before any other exists.
void block_signals();

class SignalThread {
 public:
  struct Handlers {
    std::function<void(int signal, unsigned times)> stop;  // times: 1, 2, ...
    std::function<void()> reload;
    std::function<void()> child;  // at most every 100 ms, and once after the last
  };

  static zokio::Result<std::unique_ptr<SignalThread>> start(Handlers handlers);
  // No handler runs when it returns.
  ~SignalThread();

 private:
  SignalThread(Handlers handlers, zokio::os::Fd signals, zokio::os::Fd quit);
  void run();
  void dispatch(int signal);

  Handlers handlers_;
  zokio::os::Fd signals_, quit_;
  // Its own thread only.
  unsigned stops_ = 0;
  bool child_due_ = false;

  std::thread thread_;
};

}  // namespace zokiod::lifecycle
