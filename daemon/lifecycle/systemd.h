// SPDX-License-Identifier: Apache-2.0
#pragma once

// What systemd is told and what it hands over: readiness, status, watchdog, listening sockets.
// Without systemd (no NOTIFY_SOCKET, no LISTEN_FDS) everything here does nothing.
// Thread: Notifier from any thread; take_listening_socket once, before threads are started.

#include <string>

#include "zokio/base/clock.h"
#include "zokio/base/result.h"

namespace zokiod::lifecycle {

class Notifier {
 public:
  Notifier();

  void ready(const std::string& status);
  void status(const std::string& text);
  void stopping(const std::string& text);
  // While a drain takes time: systemd waits this much longer before it kills.
  void extend_timeout(zokio::Duration by);
  void watchdog();

  // How often systemd wants to hear watchdog(); 0: never.
  zokio::Duration watchdog_interval() const { return watchdog_interval_; }
  bool connected() const { return connected_; }

 private:
  bool connected_ = false;
  zokio::Duration watchdog_interval_{};
};

// The listening unix socket of socket activation, now ours to close; -1: there is none.
// Errors: FailedPrecondition (something else was handed over, or more than one).
zokio::Result<int> take_listening_socket();

}  // namespace zokiod::lifecycle
