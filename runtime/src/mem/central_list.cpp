// SPDX-License-Identifier: Apache-2.0
// Taking blocks out of spans and putting them back.

#include "mem/central_list.h"

#include <algorithm>
#include <utility>

#include "mem/mapping.h"
#include "mem/pool.h"
#include "zokio/base/assert.h"
#include "zokio/base/spin_lock.h"

namespace zokio::mem {
namespace {

// A block that is not one of ours, of another class, or given back once too often. Always on: a
// wrong free would hand one block to two owners.
void check_block(const Span& span, const Pool& pool, unsigned cls, void* block) noexcept {
  // 32 bits, and one division: this is half of what a block costs here.
  const auto bytes = static_cast<uint32_t>(class_bytes(cls));
  const auto offset = static_cast<uint32_t>(static_cast<std::byte*>(block) - span.start);
  const uint32_t index = offset / bytes;
  const bool ours = span.slots != 0 && span.cls == cls && span.pool == pool.index() &&
                    span.live > 0 && index * bytes == offset && index < span.carved;
  ZOKIO_CHECK(ours, "memory given back with the wrong size, to the wrong pool, or twice");
}

// The first block of a lot in the depot. The count shares a word with a pointer, which has 48 bits;
// blocks of 8 bytes are too small for the two words and go back to their spans.
struct LotHead {
  FreeBlock* next;
  uint64_t word;
};

// Fewer or smaller blocks are not worth a place in the depot.
constexpr unsigned kLotBlocks = 16;
#ifndef ZOKIO_MODEL
constexpr std::size_t kLotBytes = std::size_t{16} << 10;
#else  // each execution has to find the lists as the one before did: blocks in their spans
constexpr std::size_t kLotBytes = SIZE_MAX;
#endif

bool is_lot(const Batch& batch, unsigned cls) noexcept {
  if (batch.count < 2 || class_bytes(cls) < sizeof(LotHead)) return false;
  return batch.count >= kLotBlocks || batch.count * class_bytes(cls) >= kLotBytes;
}

// Pages with carved blocks, of a span: what it can have made resident.
uint64_t committed(unsigned carved, unsigned cls) noexcept {
  return round_to_pages(carved * class_bytes(cls));
}

}  // namespace

// The lock is held for a batch of blocks: some microseconds, less than a sleep in the kernel and
// the wake-up after it cost both sides.
std::unique_lock<std::mutex> CentralList::lock_soon() noexcept {
  bool contended = false;
#ifndef ZOKIO_MODEL
  for (int spins = 0; spins < 100; ++spins) {
    if (mutex_.try_lock()) {
      ++figures_.locks;
      figures_.contended += contended;
      return {mutex_, std::adopt_lock};
    }
    contended = true;
    for (int i = 0; i < 4; ++i) cpu_relax();
  }
#endif
  std::unique_lock lock(mutex_);
  ++figures_.locks;
  figures_.contended += contended;
  return lock;
}

Taken CentralList::take(Pool& pool, unsigned cls, unsigned want, bool above_limit,
                        std::size_t asked, unsigned node) noexcept {
  const std::unique_lock lock = lock_soon();
  Taken out = take_locked(pool, cls, want, above_limit, node);
  if (out.blocks.count == 0) return out;
  figures_.refills += want > 1;
  figures_.asked_blocks += asked != 0;
  figures_.asked_bytes += asked;
  return out;
}

// Requires: mutex_.
Taken CentralList::take_locked(Pool& pool, unsigned cls, unsigned want, bool above_limit,
                               unsigned node) noexcept {
  Taken out;
  if (depot_ != nullptr) {
    out.blocks = pop_lot();
    // Who wants less gets the rest of it back into its span another time.
    if (out.blocks.count > want) {
      Batch fewer;
      while (fewer.count < want) fewer.push(out.blocks.pop());
      push_lot(out.blocks);
      out.blocks = fewer;
    }
    free_changed(pool, -static_cast<int64_t>(out.blocks.count * class_bytes(cls)));
    return out;
  }
  if (spans_ == nullptr) return carve(pool, cls, want, above_limit, node);
  out.blocks = take_free(pool, cls, want);
  return out;
}

Batch CentralList::take_free(Pool& pool, unsigned cls, unsigned want) noexcept {
  Batch out;
  while (out.count < want && spans_ != nullptr) {
    Span& span = *spans_;
    FreeBlock* block = span.free;
    if (span.live == 0) figures_.empty_blocks -= span.free_blocks;
    span.free = next_of(block);
    --span.free_blocks;
    ++span.live;
    if (span.free_blocks == 0) unlink(span);
    out.push(block);
  }
  figures_.free_blocks -= out.count;
  free_changed(pool, -static_cast<int64_t>(out.count * class_bytes(cls)));
  return out;
}

// A page of blocks, or 1/64 of what the class has: to link them touches them, and what
// nobody asked for need not be resident.
std::size_t CentralList::carved_at_once(unsigned cls) const noexcept {
  return std::max({std::size_t{4}, kPageBytes / class_bytes(cls), figures_.blocks / 64});
}

Taken CentralList::carve(Pool& pool, unsigned cls, unsigned want, bool above_limit,
                         unsigned node) noexcept {
  const unsigned blocks = span_blocks(cls, pool.shared_up_to());
  const unsigned room = blocks - (carving_ != nullptr ? carving_->carved : 0);
  unsigned count =
      above_limit ? 1
                  : static_cast<unsigned>(std::min<std::size_t>({want, room, carved_at_once(cls)}));
  Refusal refusal = pool.charge(count * class_bytes(cls), above_limit);
  if (refusal != Refusal::None && count > 1) {
    count = 1;
    refusal = pool.charge(class_bytes(cls), above_limit);
  }
  Taken out;
  out.refusal = refusal;
  if (refusal != Refusal::None) return out;
  if (carving_ == nullptr) {
    carving_ = pool.new_span(cls, node);
    if (carving_ == nullptr) {
      pool.uncharge(count * class_bytes(cls));
      out.refusal = Refusal::System;
      return out;
    }
  }
  Span& span = *carving_;
  out.fresh = true;
  figures_.blocks += count;
  figures_.most_blocks = std::max(figures_.most_blocks, figures_.blocks);
  figures_.committed_bytes += committed(span.carved + count, cls) - committed(span.carved, cls);
  // The lowest first, here and from one turn to the next: processors fetch ahead of such a user.
  for (unsigned i = count; i > 0; --i)
    out.blocks.push(
        reinterpret_cast<FreeBlock*>(span.start + (span.carved + i - 1) * class_bytes(cls)));
  span.carved += count;
  span.live += count;
  if (span.carved == blocks) carving_ = nullptr;
  return out;
}

void CentralList::give(Pool& pool, unsigned cls, Batch batch) noexcept {
  Span* doomed = nullptr;
  {
    const std::unique_lock lock = lock_soon();
    figures_.flushes += batch.count > 1;
    if (is_lot(batch, cls) && pool.wants_to_keep()) {
      free_changed(pool, static_cast<int64_t>(batch.count * class_bytes(cls)));
      push_lot(batch);
      return;
    }
    put_back(pool, cls, batch, doomed);
    // More is kept than should be, so the depot becomes smaller as well.
    if (depot_ != nullptr && !pool.wants_to_keep()) empty_lot(pool, cls, doomed);
  }
  pool.release_spans(doomed, cls);
}

void CentralList::push_lot(Batch lot) noexcept {
  auto* head = reinterpret_cast<LotHead*>(lot.head);
  unpoison(head, sizeof *head);
  head->word = reinterpret_cast<uintptr_t>(depot_) | uint64_t{lot.count} << 48;
  figures_.depot_blocks += lot.count;
  poison(head, sizeof *head);
  depot_ = lot.head;
}

Batch CentralList::pop_lot() noexcept {
  auto* head = reinterpret_cast<LotHead*>(depot_);
  unpoison(head, sizeof *head);
  const Batch lot{depot_, static_cast<unsigned>(head->word >> 48)};
  depot_ = reinterpret_cast<FreeBlock*>(head->word & ((uint64_t{1} << 48) - 1));
  poison(head, sizeof *head);
  figures_.depot_blocks -= lot.count;
  return lot;
}

void CentralList::put_back(Pool& pool, unsigned cls, Batch batch, Span*& doomed) noexcept {
  figures_.free_blocks += batch.count;
  int64_t put = 0;  // not told to the pool yet
  const auto tell = [&] { free_changed(pool, std::exchange(put, 0)); };
  while (batch.head != nullptr) {
    FreeBlock* block = batch.pop();
    Span& span = span_of(block);
    check_block(span, pool, cls, block);
    set_next(block, span.free);
    span.free = block;
    --span.live;
    if (span.free_blocks++ == 0) link(span);
    put += static_cast<int64_t>(class_bytes(cls));
    if (span.live != 0) continue;
    figures_.empty_blocks += span.free_blocks;
    tell();
    if (pool.wants_to_keep()) continue;
    doom(pool, cls, span, doomed);
    // And one that was kept when the pool held more.
    if (spans_ != nullptr && spans_->live == 0) doom(pool, cls, *spans_, doomed);
  }
  tell();
}

void CentralList::empty_depot(Pool& pool, unsigned cls, Span*& doomed) noexcept {
  while (depot_ != nullptr) empty_lot(pool, cls, doomed);
}

uint64_t CentralList::empty_lot(Pool& pool, unsigned cls, Span*& doomed) noexcept {
  const Batch lot = pop_lot();
  const uint64_t bytes = lot.count * class_bytes(cls);
  free_ -= bytes;  // for a moment: that nobody took them is to be seen by idle_
  pool.central_free_changed(-static_cast<int64_t>(bytes));
  put_back(pool, cls, lot, doomed);
  return bytes;
}

uint64_t CentralList::release_empty(Pool& pool, unsigned cls) noexcept {
  Span* doomed = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    empty_depot(pool, cls, doomed);
    for (Span* span = spans_; span != nullptr;) {
      Span* next = span->next;
      if (span->live == 0) doom(pool, cls, *span, doomed);
      span = next;
    }
  }
  return pool.release_spans(doomed, cls);
}

uint64_t CentralList::doom_some(Pool& pool, unsigned cls, uint64_t most, bool& skipped,
                                Span*& doomed) noexcept {
  uint64_t got = 0;
  for (Span* span = spans_; span != nullptr && got < most;) {
    Span* next = span->next;
    const uint64_t bytes = span->carved * class_bytes(cls);
    if (span->live == 0) {
      // What is old goes although its span holds a little that is not.
      const bool fits = bytes <= most - got || (got == 0 && idle_.old());
      if (fits) {
        doom(pool, cls, *span, doomed);
        got += bytes;
      }
      skipped |= !fits;
    }
    span = next;
  }
  return got;
}

Decayed CentralList::decay(Pool& pool, unsigned cls, bool step, uint64_t most) noexcept {
  Decayed out;
  Span* doomed = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    if (step) owed_ = idle_.step(free_);
    if (owed_ != 0) {
      const uint64_t want = std::min(owed_, most);
      bool skipped = false;
      uint64_t got = doom_some(pool, cls, want, skipped, doomed);
      if (got < want && depot_ != nullptr) {
        for (uint64_t moved = 0; depot_ != nullptr && moved < want - got;) {
          moved += empty_lot(pool, cls, doomed);
        }
        got += doom_some(pool, cls, want - got, skipped, doomed);
      }
      idle_.went(got, free_);
      if (got < want) {
        owed_ = 0;
        if (!skipped && depot_ == nullptr) idle_.is_stuck(free_);
      } else {
        owed_ -= std::min(owed_, got);
      }
    }
    out.more = owed_ != 0;
    out.settled = idle_.settled(free_);
  }
  out.released = pool.release_spans(doomed, cls);
  return out;
}

void CentralList::free_changed(Pool& pool, int64_t bytes) noexcept {
  free_ += static_cast<uint64_t>(bytes);
  idle_.changed(free_);
  pool.central_free_changed(bytes);
}

void CentralList::doom(Pool& pool, unsigned cls, Span& span, Span*& doomed) noexcept {
  free_changed(pool, -static_cast<int64_t>(span.free_blocks * class_bytes(cls)));
  figures_.free_blocks -= span.free_blocks;
  figures_.empty_blocks -= span.free_blocks;
  figures_.blocks -= span.carved;
  figures_.committed_bytes -= committed(span.carved, cls);
  unlink(span);
  if (carving_ == &span) carving_ = nullptr;
  span.next = doomed;
  doomed = &span;
}

ListFigures& ListFigures::operator+=(const ListFigures& other) noexcept {
  refills += other.refills;
  flushes += other.flushes;
  locks += other.locks;
  contended += other.contended;
  asked_blocks += other.asked_blocks;
  asked_bytes += other.asked_bytes;
  most_blocks += other.most_blocks;
  blocks += other.blocks;
  depot_blocks += other.depot_blocks;
  free_blocks += other.free_blocks;
  empty_blocks += other.empty_blocks;
  committed_bytes += other.committed_bytes;
  return *this;
}

ListFigures CentralList::figures() noexcept {
  const std::scoped_lock lock(mutex_);
  return figures_;
}

void CentralList::link(Span& span) noexcept {
  span.previous = nullptr;
  span.next = spans_;
  if (spans_ != nullptr) spans_->previous = &span;
  spans_ = &span;
}

void CentralList::unlink(Span& span) noexcept {
  (span.previous != nullptr ? span.previous->next : spans_) = span.next;
  if (span.next != nullptr) span.next->previous = span.previous;
  span.next = span.previous = nullptr;
}

}  // namespace zokio::mem
