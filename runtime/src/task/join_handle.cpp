// SPDX-License-Identifier: Apache-2.0
#include "zokio/task/join_handle.h"

namespace zokio::task::internal {

void finish(Header* task, Ending ending) noexcept {
  task->executor->finished(task, ending);
  // Ordering: release publishes the outcome to the joiner's acquire; acquire, because the joiner's
  // header (its resume_point) is read by the wake-up.
  void* waiter = task->joiner.exchange(kFinished, std::memory_order_acq_rel);
  if (waiter != nullptr) wake(static_cast<Header*>(waiter));
  task->release();
}

}  // namespace zokio::task::internal
