// SPDX-License-Identifier: Apache-2.0
#include "interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace zokioctl {
namespace {

sigset_t watched() {
  sigset_t out;
  sigemptyset(&out);
  sigaddset(&out, SIGINT);
  sigaddset(&out, SIGUSR1);  // ends the thread
  return out;
}

}  // namespace

Interrupt::Interrupt() {
  const sigset_t signals = watched();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  thread_ = std::thread([this] { wait_for_signal(); });
}

Interrupt::~Interrupt() {
  done_.store(true);
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

void Interrupt::guard(grpc::ClientContext* call) {
  std::scoped_lock lock(mutex_);
  call_ = call;
  if (call_ && happened_.load()) call_->TryCancel();
}

bool Interrupt::wait(std::chrono::nanoseconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [this] { return happened(); });
}

void Interrupt::wait_for_signal() {
  const sigset_t signals = watched();
  // Ends with the object.
  while (!done_.load()) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0 || signal != SIGINT) continue;
    // A second one, when the first did not help.
    if (happened_.exchange(true)) _exit(130);
    std::scoped_lock lock(mutex_);
    if (call_) call_->TryCancel();
    changed_.notify_all();
  }
}

}  // namespace zokioctl
