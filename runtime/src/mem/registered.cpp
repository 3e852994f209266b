// SPDX-License-Identifier: Apache-2.0
// The slab of buffers that rings register. Leases are rare beside what is done with them, so one
// lock and one word of bits do.

#include "zokio/mem/registered.h"

#include <algorithm>
#include <bit>
#include <mutex>
#include <new>

#include "mem/client_pool.h"
#include "mem/mapping.h"
#include "mem/poison.h"
#include "mem/registered.h"
#include "zokio/base/assert.h"
#include "zokio/base/spin_lock.h"

namespace zokio::mem {
namespace {

constexpr unsigned kBlocks = kRegisteredBytes / kRegisteredBlock;
static_assert(kBlocks == 64, "one word of bits");

// Null before the first lease. Ordering: release publishes the mapping, acquire sees it; who has a
// buffer got it from a thread that did.
constinit std::atomic<std::byte*> slab_start{nullptr};

class Slab final : public ClientPool {
 public:
  static std::byte* start() noexcept { return slab_start.load(std::memory_order_acquire); }

  // Null: nothing free, or the limit does not allow it.
  std::byte* take(std::size_t bytes) noexcept {
    if (start() == nullptr && !map_slab()) return nullptr;
    unsigned block = kBlocks;
    {
      const std::scoped_lock guard(lock_);
      const bool allowed = limit_ == 0 || (used() + 1) * kRegisteredBlock <= limit_;
      if (allowed) block = static_cast<unsigned>(std::countr_one(in_use_));
      if (block == kBlocks) {
        ++refused_;
        return nullptr;
      }
      in_use_ |= uint64_t{1} << block;
      ++taken_;
      most_ = std::max(most_, used());
    }
    std::byte* p = start() + block * kRegisteredBlock;
    unpoison(p, bytes);
    return p;
  }

  void give(std::byte* p) noexcept {
    const auto offset = static_cast<std::size_t>(p - start());
    ZOKIO_CHECK(offset % kRegisteredBlock == 0, "no buffer of the slab begins here");
    poison(p, kRegisteredBlock);
    const std::scoped_lock guard(lock_);
    const uint64_t bit = uint64_t{1} << offset / kRegisteredBlock;
    ZOKIO_CHECK((in_use_ & bit) != 0, "a registered buffer is given back twice");
    in_use_ &= ~bit;
  }

  std::string_view name() const noexcept override { return "registered"; }
  PoolSnapshot snapshot() override {
    const std::scoped_lock guard(lock_);
    PoolSnapshot out;
    out.name = name();
    out.limit_bytes = limit_;
    out.objects_in_use = used();
    out.in_use_bytes = used() * kRegisteredBlock;
    out.cached_bytes = start() == nullptr ? 0 : kRegisteredBytes - out.in_use_bytes;
    out.high_water_bytes = most_ * kRegisteredBlock;
    out.hits_shared = taken_;
    out.frees = taken_ - used();
    out.failures_limit = refused_;
    out.failures_os = failed_;
    out.shrinking = limit_ != 0 && out.in_use_bytes > limit_;
    return out;
  }
  Result<void> check_limit(uint64_t bytes, bool force) override {
    if (bytes != 0 && bytes < snapshot().in_use_bytes && !force)
      return fail(Errc::FailedPrecondition, "registered buffers", Detail::Limit);
    return {};
  }
  Result<LimitReport> set_limit(uint64_t bytes, bool force) override {
    ZOKIO_CHECKED(check_limit(bytes, force));
    const std::scoped_lock guard(lock_);
    LimitReport report{.from = limit_, .requested = bytes};
    limit_ = bytes;
    report.held_bytes = used() * kRegisteredBlock;
    if (bytes != 0 && report.held_bytes > bytes) report.residual_bytes = report.held_bytes - bytes;
    return report;
  }
  // Rings hold its pages.
  uint64_t trim() override { return 0; }

 private:
  uint64_t used() const noexcept { return static_cast<uint64_t>(std::popcount(in_use_)); }

  bool map_slab() noexcept {
    const std::scoped_lock guard(map_lock_);
    if (start() != nullptr) return true;
    std::byte* p = map(kRegisteredBytes, kPageBytes);
    if (p == nullptr) {
      const std::scoped_lock counts(lock_);
      ++failed_;
      return false;
    }
    poison(p, kRegisteredBytes);
    add_root(p, kRegisteredBytes);
    add_client_pool(*this);
    slab_start.store(p, std::memory_order_release);
    return true;
  }

  std::mutex map_lock_;  // before lock_
  SpinLock lock_;
  // Guarded by lock_.
  uint64_t in_use_ = 0;  // a bit for each block
  uint64_t limit_ = 0;
  uint64_t most_ = 0;
  uint64_t taken_ = 0;
  uint64_t refused_ = 0;  // served by the pool "buffers" instead
  uint64_t failed_ = 0;
};

// Never destroyed: buffers may be given back at the very end.
Slab& slab() noexcept {
  alignas(Slab) static std::byte place[sizeof(Slab)];
  static Slab* const one = new (place) Slab;
  return *one;
}

}  // namespace

bool is_registered(const void* p) noexcept {
  const std::byte* start = slab_start.load(std::memory_order_relaxed);
  const auto* at = static_cast<const std::byte*>(p);
  return start != nullptr && at >= start && at < start + kRegisteredBytes;
}

MutBytes registered_slab() noexcept {
  std::byte* start = Slab::start();
  return start == nullptr ? MutBytes() : MutBytes(start, kRegisteredBytes);
}

std::byte* take_registered(std::size_t bytes) noexcept {
  if (bytes == 0 || bytes > kRegisteredBlock) return nullptr;
  return slab().take(bytes);
}

void give_registered(std::byte* p) noexcept {
  slab().give(p);
}

}  // namespace zokio::mem
