// SPDX-License-Identifier: Apache-2.0
#include "mem/block_records.h"

#include <bit>

#include "mem/mapping.h"

namespace zokio::mem::debug {

std::size_t BlockRecords::home(const void* user) const noexcept {
  const uint64_t mixed = (reinterpret_cast<std::uintptr_t>(user) >> 4) * 0x9E3779B97F4A7C15u;
  return static_cast<std::size_t>(mixed >> (64 - std::countr_zero(places_)));
}

std::size_t BlockRecords::place_of(const void* user) const noexcept {
  std::size_t at = home(user);
  while (records_[at].user != nullptr && records_[at].user != user) at = (at + 1) & (places_ - 1);
  return at;
}

bool BlockRecords::grow() noexcept {
  const std::size_t before = places_;
  const std::size_t after = before == 0 ? 1 << 12 : 2 * before;
  auto* const fresh = reinterpret_cast<Record*>(map(after * sizeof(Record), kPageBytes));
  if (fresh == nullptr) return false;
  Record* const old = records_;
  records_ = fresh;
  places_ = after;
  for (std::size_t i = 0; i < before; ++i)
    if (old[i].user != nullptr) records_[place_of(old[i].user)] = old[i];
  if (old != nullptr) unmap(reinterpret_cast<std::byte*>(old), before * sizeof(Record));
  return true;
}

bool BlockRecords::add(const Record& record) noexcept {
  // At most three quarters full, except when the system has no more.
  if (4 * (used_ + 1) > 3 * places_ && !grow() && used_ + 1 >= places_) return false;
  records_[place_of(record.user)] = record;
  ++used_;
  return true;
}

Record* BlockRecords::find(const void* user) noexcept {
  if (places_ == 0) return nullptr;
  Record& found = records_[place_of(user)];
  return found.user != nullptr ? &found : nullptr;
}

void BlockRecords::remove(const void* user) noexcept {
  const std::size_t mask = places_ - 1;
  std::size_t hole = place_of(user);
  for (std::size_t at = hole;;) {
    at = (at + 1) & mask;
    if (records_[at].user == nullptr) break;
    // It may move into the hole unless its home lies behind the hole, on the way to it.
    if (((at - home(records_[at].user)) & mask) < ((at - hole) & mask)) continue;
    records_[hole] = records_[at];
    hole = at;
  }
  records_[hole] = {};
  --used_;
}

}  // namespace zokio::mem::debug
