// SPDX-License-Identifier: Apache-2.0
#include "os/futex.h"
#include "zokio/base/spin_lock.h"
#include "zokio/task/ledger.h"
#include "zokio/task/promise.h"
#include "zokio/task/switch.h"

namespace zokio::task {

std::coroutine_handle<> finish(Promise* task, Ending ending,
                               void (*discard)(Promise*) noexcept) noexcept {
  task->drop_parameters();
  leave(task, ending);
  // Ordering: release publishes the outcome to who joins; acquire, because the waiter's header is
  // read below.
  const uintptr_t before = task->link.exchange(kFinished, std::memory_order_acq_rel);
  if (before == kRoot) return std::noop_coroutine();
  if (before == kDetached) {
    discard(task);
    return std::noop_coroutine();
  }
  const uintptr_t waiter = before & ~kLinkBits;
  if ((before & kThread) != 0) {
    reinterpret_cast<ThreadWaiter*>(waiter)->wake();
    return std::noop_coroutine();
  }
  return switch_to(reinterpret_cast<Header*>(waiter));
}

void Promise::free_memory() noexcept {
  mem::free_frame(handle().address(), frame_bytes);
}

void ThreadWaiter::wait() noexcept {
  // By measure: a futex wake-up across cores costs 20 to 40 us, so that long a spin is worth it.
#ifdef ZOKIO_MODEL
  constexpr int kSpins = 1;
#else
  constexpr int kSpins = 1000;
#endif
  for (int spins = 0; spins < kSpins; ++spins) {
    if (word_.load(std::memory_order_acquire) == kEnded) return;
    cpu_relax();
  }
  uint32_t expected = kRunning;
  if (!word_.compare_exchange_strong(expected, kSleeping, std::memory_order_acq_rel)) return;
  while (word_.load(std::memory_order_acquire) != kEnded)
    os::futex_wait(word_, kSleeping, Instant::never());
}

void ThreadWaiter::wake() noexcept {
  // A futex is woken by address: that the waiter may be gone by then does no harm.
  if (word_.exchange(kEnded, std::memory_order_acq_rel) == kSleeping) os::futex_wake(word_, 1);
}

}  // namespace zokio::task
