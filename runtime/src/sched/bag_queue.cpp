// SPDX-License-Identifier: Apache-2.0
#include "sched/bag_queue.h"

#include <algorithm>
#include <mutex>
#include <new>

#include "zokio/mem/frame.h"

namespace zokio::sched {

static_assert(sizeof(Bag) <= 512, "a bag is one block of a size class");

#ifdef ZOKIO_MODEL  // the pools remember earlier executions, which must not differ
Bag* new_bag() noexcept {
  return new Bag;
}
void free_bag(Bag* bag) noexcept {
  delete bag;
}
#else
Bag* new_bag() noexcept {
  void* memory = mem::allocate_frame(sizeof(Bag));
  // Mostly a worker emptied and freed it.
  for (std::size_t at = 0; at < sizeof(Bag); at += kCacheLine)
    prefetch_for_write(static_cast<const std::byte*>(memory) + at);
  return new (memory) Bag;
}
void free_bag(Bag* bag) noexcept {
  mem::free_frame(bag, sizeof(Bag));
}
#endif

BagQueue::~BagQueue() {
  while (head_ != nullptr) free_bag(unlink_first());
}

void BagQueue::append(task::Header* task) noexcept {
  if (tail_ == nullptr || tail_->count == Bag::kTasks) {
    Bag* bag = new_bag();
    (tail_ != nullptr ? tail_->next : head_) = bag;
    tail_ = bag;
  }
  tail_->tasks[tail_->count++] = task;
}

void BagQueue::push(task::Header* task) noexcept {
  std::scoped_lock guard(lock_);
  append(task);
  size_.store(size_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void BagQueue::push_and_fence(task::Header* task) noexcept {
  lock_.lock();
  append(task);
  size_.store(size_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  pushed_.store(pushed_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  lock_.unlock_and_fence();
}

void BagQueue::push_many(std::span<task::Header* const> tasks) noexcept {
  std::scoped_lock guard(lock_);
  for (task::Header* task : tasks) append(task);
  size_.store(size_.load(std::memory_order_relaxed) + tasks.size(), std::memory_order_relaxed);
}

void BagQueue::push_front(std::span<task::Header* const> tasks) noexcept {
  std::scoped_lock guard(lock_);
  // The last ones first, so that the front bag holds the oldest.
  for (std::size_t end = tasks.size(); end > 0;) {
    const std::size_t begin = end > Bag::kTasks ? end - Bag::kTasks : 0;
    Bag* bag = new_bag();
    std::copy(tasks.begin() + static_cast<std::ptrdiff_t>(begin),
              tasks.begin() + static_cast<std::ptrdiff_t>(end), bag->tasks);
    bag->count = static_cast<uint32_t>(end - begin);
    bag->next = head_;
    head_ = bag;
    if (tail_ == nullptr) tail_ = bag;
    end = begin;
  }
  size_.store(size_.load(std::memory_order_relaxed) + tasks.size(), std::memory_order_relaxed);
}

Bag* BagQueue::unlink_first() noexcept {
  Bag* bag = head_;
  head_ = bag->next;
  if (head_ == nullptr) tail_ = nullptr;
  size_.store(size_.load(std::memory_order_relaxed) - (bag->count - bag->first),
              std::memory_order_relaxed);
  return bag;
}

task::Header* BagQueue::take_one() noexcept {
  if (empty()) return nullptr;
  Bag* emptied = nullptr;
  task::Header* task;
  {
    std::scoped_lock guard(lock_);
    if (head_ == nullptr) return nullptr;
    task = head_->tasks[head_->first];
    if (head_->first + 1 == head_->count) {
      emptied = unlink_first();
    } else {
      ++head_->first;
      size_.store(size_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    }
  }
  if (emptied != nullptr) free_bag(emptied);
  return task;
}

Bag* BagQueue::take_bag() noexcept {
  if (empty()) return nullptr;
  std::scoped_lock guard(lock_);
  return head_ != nullptr ? unlink_first() : nullptr;
}

}  // namespace zokio::sched
