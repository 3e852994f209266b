// SPDX-License-Identifier: Apache-2.0
// Guards, fills, and the quarantine.

#include "mem/debug_heap.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "mem/block.h"
#include "mem/debug_report.h"
#include "mem/mapping.h"
#include "zokio/mem/allocate.h"
#include "zokio/mem/debug.h"

namespace zokio::mem::debug {
namespace {

constexpr std::size_t kGuard = 16;
constexpr std::size_t kGuardMost = 256;
constexpr unsigned char kFresh = 0xCE;
constexpr unsigned char kFreed = 0xDF;
constexpr std::size_t kQuarantine = std::size_t{16} << 20;

struct State {
  std::mutex mutex;
  BlockRecords records;
  CallSites sites;
  uint64_t allocations = 0;
  // What is held back, from the one that was freed first.
  std::byte* first = nullptr;
  std::byte* last = nullptr;
  std::size_t held_back = 0;
  std::size_t quarantine = kQuarantine;
  std::atomic<bool> settled{false};  // the environment was read
};
constinit State state;

// Requires: the lock is not held.
void settle() noexcept {
  if (environ == nullptr) return;  // before the C library has begun
  if (state.settled.exchange(true)) return;
  if (const char* bytes = std::getenv("ZOKIO_MEMORY_QUARANTINE")) {
    const std::scoped_lock lock(state.mutex);
    state.quarantine = std::strtoull(bytes, nullptr, 10);
  }
  const char* leaks = std::getenv("ZOKIO_MEMORY_LEAKS");
  // From the first allocation on, so that it runs behind all that was registered later.
  if (leaks != nullptr && std::strcmp(leaks, "1") == 0) std::atexit(&report_leaks_at_exit);
}

// Never a letter, 0x00 or 0xFF, and another one at the next address.
unsigned char guard_at(const std::byte* at) noexcept {
  return static_cast<unsigned char>(0xA1 + reinterpret_cast<std::uintptr_t>(at) % 13);
}
void write_guard(std::byte* begin, const std::byte* end) noexcept {
  for (; begin != end; ++begin) *begin = static_cast<std::byte>(guard_at(begin));
}
const std::byte* guard_end(const Record& r) noexcept {
  return r.user + std::min(r.raw_bytes - r.front, r.bytes + kGuardMost);
}

struct Damage {
  std::size_t bytes = 0;
  const std::byte* first = nullptr;
};
template <class F>
Damage damage_of(const std::byte* begin, const std::byte* end, F expected) noexcept {
  Damage out;
  for (; begin != end; ++begin) {
    if (*begin == static_cast<std::byte>(expected(begin))) continue;
    if (out.bytes++ == 0) out.first = begin;
  }
  return out;
}

Damage front_damage(const Record& r) noexcept {
  return damage_of(r.user - kGuard, r.user, &guard_at);
}
Damage behind_damage(const Record& r) noexcept {
  return damage_of(r.user + r.bytes, guard_end(r), &guard_at);
}
Damage content_damage(const Record& r) noexcept {
  return damage_of(r.user, r.user + r.bytes, [](const std::byte*) { return kFreed; });
}
bool intact(const Record& r) noexcept {
  if (r.freed && content_damage(r).bytes != 0) return false;
  return front_damage(r).bytes == 0 && behind_damage(r).bytes == 0;
}

void check_guards(const Record& r, const Stack& now) noexcept {
  if (const Damage front = front_damage(r); front.bytes != 0)
    report_damage("write in front of a block", front.bytes, front.first - r.user, r, now);
  if (const Damage behind = behind_damage(r); behind.bytes != 0)
    report_damage("write behind a block", behind.bytes, behind.first - r.user, r, now);
}

void check_freed(const Record& r, const Stack& now) noexcept {
  if (const Damage content = content_damage(r); content.bytes != 0)
    report_damage("write after the free", content.bytes, content.first - r.user, r, now);
  check_guards(r, now);
}

// What to ask a pool for, so that both guards have room and the block is aligned.
Record layout(std::size_t bytes, std::size_t alignment) noexcept {
  Record r;
  r.bytes = bytes;
  r.front = static_cast<uint32_t>(std::max(kGuard, alignment));
  r.raw_bytes = r.front + bytes + kGuard;
  if (alignment > kSlotBytes) r.raw_bytes = std::max(r.raw_bytes, kMaxBlock + 1);
  if (r.raw_bytes > kMaxBlock) {
    r.raw_bytes = round_to_pages(r.raw_bytes);
    return r;
  }
  // Blocks lie at multiples of their size in spans that begin at a slot.
  unsigned cls = class_of(r.raw_bytes);
  while (alignment > kAlignment && class_bytes(cls) % alignment != 0) ++cls;
  r.raw_bytes = class_bytes(cls);
  return r;
}

// Gives back what was freed first, down to `bytes`.
void shorten_quarantine(std::size_t bytes) noexcept {
  for (;;) {
    Record oldest;
    {
      const std::scoped_lock lock(state.mutex);
      if (state.held_back <= bytes) return;
      oldest = *state.records.find(state.first);
      state.first = oldest.next;
      if (state.first == nullptr) state.last = nullptr;
      state.held_back -= oldest.raw_bytes;
      state.records.remove(oldest.user);
    }
    check_freed(oldest, {});
    give_raw(oldest.pool, oldest.raw(), oldest.raw_bytes);
  }
}

void hold_back(const Record& r) noexcept {
  std::memset(r.user, kFreed, r.bytes);
  std::size_t most = 0;
  {
    const std::scoped_lock lock(state.mutex);
    if (state.last != nullptr)
      state.records.find(state.last)->next = r.user;
    else
      state.first = r.user;
    state.last = r.user;
    state.held_back += r.raw_bytes;
    most = state.quarantine;
  }
  shorten_quarantine(most);
}

void* take_guarded(PoolId id, std::size_t raw_bytes, bool may_exceed, Refusal& why,
                   bool& fresh) noexcept {
  void* raw = take_raw(id, raw_bytes, may_exceed, why, &fresh);
  if (raw != nullptr) return raw;
  {
    const std::scoped_lock lock(state.mutex);
    if (state.held_back == 0) return nullptr;
  }
  empty_quarantine();  // no reason to refuse memory
  return take_raw(id, raw_bytes, may_exceed, why, &fresh);
}

}  // namespace

void* take(PoolId id, std::size_t bytes, std::size_t alignment, bool may_exceed, bool zero,
           Refusal& why, const Stack& by) noexcept {
  if (!state.settled.load()) settle();
  why = Refusal::System;
  if (bytes > kMaxAllocation || alignment > kChunkBytes) return nullptr;
  Record r = layout(bytes, alignment);
  r.pool = id;
  bool fresh = false;
  auto* const raw = static_cast<std::byte*>(take_guarded(id, r.raw_bytes, may_exceed, why, fresh));
  if (raw == nullptr) return nullptr;
  r.user = raw + r.front;
  bool known = false;
  {
    const std::scoped_lock lock(state.mutex);
    r.number = ++state.allocations;
    r.allocated_by = state.sites.number_of(by);
    known = state.records.add(r);
  }
  if (!known) {
    give_raw(id, raw, r.raw_bytes);
    why = Refusal::System;
    return nullptr;
  }
  write_guard(r.user - kGuard, r.user);
  write_guard(r.user + bytes, guard_end(r));
  // Not above: who reserves gigabytes and uses a few would have them all resident.
  if (zero && !fresh)
    std::memset(r.user, 0, bytes);
  else if (!zero && r.raw_bytes <= kMaxBlock)
    std::memset(r.user, kFresh, bytes);
  return r.user;
}

void give(PoolId id, void* p, std::size_t bytes, const Stack& by) noexcept {
  if (p == nullptr) return;
  Record r;
  bool ours = false;
  std::size_t most = 0;
  {
    const std::scoped_lock lock(state.mutex);
    most = state.quarantine;
    if (Record* found = state.records.find(p)) {
      ours = true;
      r = *found;
      if (!r.freed && r.pool == id && (bytes == kAnySize || bytes == r.bytes)) {
        found->freed = true;
        found->freed_by = state.sites.number_of(by);
      }
    }
  }
  if (!ours) report_no_block("free of", p, by);
  if (r.freed) report_block("second free", r, by);
  if (r.pool != id) {
    char text[64];
    std::snprintf(text, sizeof text, "free to the pool %s", pool_name(id).data());
    report_block(text, r, by);
  }
  if (bytes != kAnySize && bytes != r.bytes) {
    char text[64];
    std::snprintf(text, sizeof text, "free of %zu bytes", bytes);
    report_block(text, r, by);
  }
  check_guards(r, by);
  if (r.raw_bytes <= most) return hold_back(r);
  {
    const std::scoped_lock lock(state.mutex);
    state.records.remove(p);
  }
  give_raw(id, r.raw(), r.raw_bytes);
}

Record record_of(const void* p, const char* what, const Stack& by) noexcept {
  Record r;
  {
    const std::scoped_lock lock(state.mutex);
    if (const Record* found = state.records.find(p)) r = *found;
  }
  if (r.user == nullptr) report_no_block(what, p, by);
  if (r.freed) report_block(what, r, by);
  return r;
}

std::size_t held_bytes(const void* p) noexcept {
  return record_of(p, "size of", {}).raw_bytes;
}

void empty_quarantine() noexcept {
  shorten_quarantine(0);
}

void check_all() noexcept {
  Record bad;
  {
    const std::scoped_lock lock(state.mutex);
    state.records.for_each([&bad](const Record& r) {
      if (!intact(r)) bad = r;
    });
  }
  // A report takes the lock.
  if (bad.user == nullptr) return;
  bad.freed ? check_freed(bad, {}) : check_guards(bad, {});
}

void lock() noexcept {
  state.mutex.lock();
}
void unlock() noexcept {
  state.mutex.unlock();
}

Census count_blocks() noexcept {
  const std::scoped_lock lock(state.mutex);
  Census census{.count = state.sites.count() * kPools};
  auto* const memory = map(round_to_pages(census.count * sizeof(Totals)), kPageBytes);
  if (memory == nullptr) return {};
  census.totals = reinterpret_cast<Totals*>(memory);
  state.records.for_each([&](const Record& r) {
    if (r.freed) return;
    Totals& totals = census.totals[r.allocated_by * kPools + static_cast<unsigned>(r.pool)];
    ++totals.blocks;
    totals.bytes += r.bytes;
  });
  return census;
}

void free_census(const Census& census) noexcept {
  if (census.totals != nullptr)
    unmap(reinterpret_cast<std::byte*>(census.totals),
          round_to_pages(census.count * sizeof(Totals)));
}

Stack stack_of(uint32_t site) noexcept {
  const std::scoped_lock lock(state.mutex);
  return state.sites.stack(site);
}

Record record_around(const void* p) noexcept {
  Record out;
  const auto* const at = static_cast<const std::byte*>(p);
  const std::scoped_lock lock(state.mutex);
  state.records.for_each([&](const Record& r) {
    if (at >= r.user && at < r.user + r.bytes) out = r;
  });
  return out;
}

}  // namespace zokio::mem::debug
