// SPDX-License-Identifier: Apache-2.0
#include "base/env.h"
#include "os/futex.h"
#include "os/spin_budget.h"
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

#ifdef ZOKIO_SIM  // one thread, and no time passes while it looks

bool ThreadWaiter::ends_soon() noexcept {
  return word_.load(std::memory_order_acquire) == kEnded;
}

void ThreadWaiter::wait() noexcept {
  if (!ends_soon()) sleep();
}

#else

namespace {
// A futex wake-up across cores costs 20 to 40 us, so a look as long is worth it; not on one core,
// where it keeps the worker from ending the task.
constinit thread_local os::SpinBudget budget;
}  // namespace

bool ThreadWaiter::ends_soon() noexcept {
  int64_t now = env::now_ns();
  const int64_t length = budget.next(now);
  for (const int64_t end = now + length; now < end; now = env::now_ns()) {
    for (int i = 0; i < 8; ++i) {
      if (word_.load(std::memory_order_acquire) == kEnded) {
        budget.found();
        return true;
      }
      cpu_relax();
    }
  }
  if (length != 0) budget.in_vain(now);
  return false;
}

void ThreadWaiter::wait() noexcept {
  if (ends_soon()) return;
  const int64_t begin = env::now_ns();
  sleep();
  const int64_t end = env::now_ns();
  budget.slept(end - begin, end);
}

#endif

void ThreadWaiter::sleep() noexcept {
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
