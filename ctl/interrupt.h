// SPDX-License-Identifier: Apache-2.0
#pragma once

// Ctrl-C while something waits: ends the call and nothing else. The job goes on.
// Thread: one Interrupt at a time; make it before the first call, so that threads of gRPC leave the
// signal alone.

#include <grpcpp/client_context.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace zokioctl {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool happened() const { return happened_.load(); }
  // Sleeps; true: there was a Ctrl-C, at once.
  bool wait(std::chrono::nanoseconds time);
  // The call that a Ctrl-C ends; null: none.
  void guard(grpc::ClientContext* call);

 private:
  void wait_for_signal();

  std::atomic<bool> happened_{false};
  std::atomic<bool> done_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  grpc::ClientContext* call_ = nullptr;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace zokioctl
