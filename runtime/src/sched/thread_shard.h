// SPDX-License-Identifier: Apache-2.0
#pragma once

// Deals threads outside the workers out over a few shards, by the address of their context: a
// thread keeps to its shard, and threads that come at the same time mostly have different ones.

#include <cstdint>

#include "zokio/task/context.h"

namespace zokio::sched {

inline constexpr unsigned kThreadShards = 8;

// Thread: any; below kThreadShards, always the same for a thread.
inline unsigned thread_shard() noexcept {
  static_assert(kThreadShards == 8, "three bits of the hash");
  const auto address = reinterpret_cast<uintptr_t>(&task::context());
  return static_cast<unsigned>((address * 0x9e3779b97f4a7c15u) >> 61);
}

}  // namespace zokio::sched
