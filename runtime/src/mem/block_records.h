// SPDX-License-Identifier: Apache-2.0
#pragma once

// A record for each block of the mode Debug, in use or held back, found by the block's address. The
// records lie in mappings of their own, where no block that is written past reaches them.
// Thread: under the lock of who has it.
// Source: linear probing with deletion by shifting back, Knuth, volume 3, 6.4, algorithm R.

#include <cstddef>
#include <cstdint>

#include "zokio/base/pinned.h"
#include "zokio/mem/pools.h"

namespace zokio::mem::debug {

struct Record {
  std::byte* user = nullptr;  // what the program has; null: no record
  std::size_t bytes = 0;      // that were asked for
  std::size_t raw_bytes = 0;  // that were asked of the pool
  std::byte* next = nullptr;  // the block that was freed after this one
  uint64_t number = 0;        // of the allocation, from 1
  uint32_t front = 0;         // from the begin of the pool's block to `user`
  uint32_t allocated_by = 0;  // call sites
  uint32_t freed_by = 0;
  PoolId pool = PoolId::Heap;
  bool freed = false;  // and held back

  std::byte* raw() const noexcept { return user - front; }
};

class BlockRecords : Pinned {
 public:
  // False when the system has no memory for it. Requires: there is none for that address.
  bool add(const Record& record) noexcept;
  // Null: none. Valid until the next add or remove.
  Record* find(const void* user) noexcept;
  // Requires: there is one.
  void remove(const void* user) noexcept;

  template <class F>
  void for_each(F visit) const {
    for (std::size_t i = 0; i < places_; ++i)
      if (records_[i].user != nullptr) visit(records_[i]);
  }

 private:
  std::size_t home(const void* user) const noexcept;
  std::size_t place_of(const void* user) const noexcept;  // of its record, or where it would be
  bool grow() noexcept;

  Record* records_ = nullptr;
  std::size_t places_ = 0;  // a power of two
  std::size_t used_ = 0;
};

}  // namespace zokio::mem::debug
