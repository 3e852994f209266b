// SPDX-License-Identifier: Apache-2.0
#include "sched/inject_queue.h"

#include <mutex>

namespace zokio::sched {

void InjectQueue::push_list(task::Header* first, task::Header* last, uint32_t count) noexcept {
  last->next = nullptr;
  std::scoped_lock guard(lock_);
  if (tail_ != nullptr)
    tail_->next = first;
  else
    head_ = first;
  tail_ = last;
  size_.store(size_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

task::Header* InjectQueue::take(uint32_t most) noexcept {
  if (empty() || most == 0) return nullptr;
  std::scoped_lock guard(lock_);
  task::Header* first = head_;
  if (first == nullptr) return nullptr;
  task::Header* last = first;
  uint32_t count = 1;
  for (; count < most && last->next != nullptr; ++count) last = last->next;
  head_ = last->next;
  if (head_ == nullptr) tail_ = nullptr;
  last->next = nullptr;
  size_.store(size_.load(std::memory_order_relaxed) - count, std::memory_order_relaxed);
  return first;
}

}  // namespace zokio::sched
