// SPDX-License-Identifier: Apache-2.0
#pragma once

// One writer or many readers. Fair: whoever waits is served in order of arrival, so a writer is not
// starved by readers that keep coming, and readers behind a writer go in together.
// Thread: lock and lock_shared from tasks; the rest from any thread.
//
// A semaphore with kAll permits: a reader holds one, a writer all. Source: Tokio's RwLock.

#include "zokio/sync/semaphore.h"

namespace zokio::sync {

class SharedMutex : Pinned {
 public:
  // As many readers at once as nobody has.
  static constexpr int64_t kAll = int64_t{1} << 30;
  // Unlocks when dropped.
  using Guard = Semaphore::Permit;

  // Result<Guard>: Cancelled when the task was asked to stop first.
  auto lock() noexcept { return permits_.acquire(kAll); }
  auto lock_shared() noexcept { return permits_.acquire(1); }

  // Empty when it is not free for that, or others wait.
  Guard try_lock() noexcept { return permits_.try_acquire(kAll); }
  Guard try_lock_shared() noexcept { return permits_.try_acquire(1); }

 private:
  Semaphore permits_{kAll};
};

}  // namespace zokio::sync
