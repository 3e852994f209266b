// SPDX-License-Identifier: Apache-2.0
#pragma once

// Follows the memory of the cgroup: keeps the limit of all pools below what the group may use, and
// answers when the group runs short of memory, before the kernel does with stalls and kills.
//
// Short of memory is: more than nine tenths of a limit are used (files that can be dropped do not
// count), the group hit memory.high or memory.max, or some task waited for memory for more than a
// tenth of the time. The answer is a trim and small caches until there was no sign of it for ten
// seconds; the trim is repeated while it lasts.
// Looks at most once a second: a few small files, no trigger that would need a right to write.
// Thread: look() the control strand; the rest any.

#include <atomic>
#include <mutex>
#include <string>

#include "zokio/base/clock.h"
#include "zokio/base/pinned.h"
#include "zokio/base/result.h"
#include "zokio/mem/pools.h"

namespace zokio::sched {

class MemoryFollower : Pinned {
 public:
  static constexpr Duration kEvery = std::chrono::seconds(1);
  static constexpr Duration kTrimEvery = std::chrono::seconds(5);
  static constexpr Duration kQuiet = std::chrono::seconds(10);
  static constexpr double kFull = 0.9;
  static constexpr double kStalled = 0.1;  // of the time
  // Of the group's limit, what the pools may have: code, stacks, the rest of the process and the
  // kernel's own part live of it too.
  static constexpr double kPoolsShare = 0.8;

  explicit MemoryFollower(std::string own_group = "/proc/self/cgroup",
                          std::string mount = "/sys/fs/cgroup");
  // Ends what it brought about.
  ~MemoryFollower();

  // If the last look is long enough ago.
  void look(Instant now);
  // The limit that is asked for; what holds is that or the group's part, whichever is less.
  // Errors: as mem::set_total_limit.
  Result<mem::LimitReport> ask(uint64_t bytes, bool force);

  // Of the cgroup; 0: none.
  uint64_t limit_bytes() const noexcept { return limit_.load(std::memory_order_relaxed); }
  uint64_t used_bytes() const noexcept { return used_.load(std::memory_order_relaxed); }

 private:
  uint64_t least(uint64_t asked) const noexcept;

  const std::string own_group_;
  const std::string mount_;
  std::atomic<uint64_t> limit_{0};
  std::atomic<uint64_t> used_{0};

  std::mutex mutex_;
  uint64_t asked_;  // guarded by mutex_

  // look()'s own.
  Instant last_{0};
  uint64_t events_ = 0;
  uint64_t stalled_us_ = 0;
  Instant sign_{0};     // when it was short last
  Instant trimmed_{0};  // when that was answered last
  bool seen_ = false;   // the counters were read before
  bool short_ = false;
};

}  // namespace zokio::sched
