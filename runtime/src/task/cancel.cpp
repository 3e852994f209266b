// SPDX-License-Identifier: Apache-2.0
#include "zokio/task/cancel.h"

#include "base/spin_lock.h"
#include "zokio/task/context.h"

namespace zokio::task {

void CancelScope::lock() noexcept {
  for (int spins = 0; lock_.exchange(true, std::memory_order_acquire); ++spins) {
    spin_pause(spins);
  }
}

void CancelCallback::insert() noexcept {
  linked_ = true;
  prev_ = nullptr;
  next_ = scope_->head_;
  if (next_ != nullptr) next_->prev_ = this;
  scope_->head_ = this;
}

void CancelCallback::link(CancelScope* scope) noexcept {
  if (scope == nullptr) return;
  scope->lock();
  scope_ = scope;
  const bool already = scope->cancelled_.load(std::memory_order_relaxed);
  if (!already) insert();
  scope->unlock();
  if (already) fn_(this);
}

void CancelCallback::unlink() noexcept {
  CancelScope* scope = scope_;
  if (scope == nullptr) return;
  for (int spins = 0;; ++spins) {
    scope->lock();
    if (linked_) {
      if (prev_ != nullptr)
        prev_->next_ = next_;
      else
        scope->head_ = next_;
      if (next_ != nullptr) next_->prev_ = prev_;
      linked_ = false;
    }
    const bool running_elsewhere = scope->running_ == this && scope->running_thread_ != &context();
    scope->unlock();
    if (!running_elsewhere) break;
    spin_pause(spins);
  }
  scope_ = nullptr;
}

void CancelScope::cancel() noexcept {
  lock();
  if (cancelled_.load(std::memory_order_relaxed)) {
    unlock();
    return;
  }
  cancelled_.store(true, std::memory_order_release);
  while (head_ != nullptr) {
    CancelCallback* callback = head_;
    head_ = callback->next_;
    if (head_ != nullptr) head_->prev_ = nullptr;
    callback->linked_ = false;
    running_ = callback;
    running_thread_ = &context();  // one address per thread, and it lives as long as the thread
    unlock();
    callback->fn_(callback);
    lock();
    running_ = nullptr;
  }
  unlock();
}

}  // namespace zokio::task
