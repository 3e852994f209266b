// SPDX-License-Identifier: Apache-2.0
#include "zokio/task/executor.h"

#include "zokio/task/header.h"

namespace zokio::task {

uint16_t acquire_group(Executor* executor) noexcept {
  for (uint16_t group = 0; group < kGroups; ++group) {
    Executor* none = nullptr;
    if (executor_table[group].load(std::memory_order_relaxed) == nullptr &&
        executor_table[group].compare_exchange_strong(none, executor, std::memory_order_acq_rel))
      return group;
  }
  return kNoGroup;
}

void release_group(uint16_t group) noexcept {
  executor_table[group].store(nullptr, std::memory_order_release);
}

void enlist(Header* task) noexcept {
  executor_of(task)->enlist(task);
}

}  // namespace zokio::task
