// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is known of plain memory in one execution: who touched each byte last and when, and what was
// allocated and freed. Two accesses of one byte by different threads, at least one of them a write,
// neither before the other: a data race.
//
// Memory that an execution allocates comes from an arena that the next one uses again from its
// start, so that addresses are the same in a repeated execution; freed memory is not used again
// before, so a touch of it is found.

#include <cstddef>
#include <cstdint>
#include <string>

#include "memory.h"

namespace zokio::model {

enum class Touch : uint8_t { Read, Write, Atomic, Free };

// A place in the program: from the source, or an address in it that is looked up when printed.
struct Place {
  const char* file = nullptr;
  unsigned line = 0;
  const void* code = nullptr;
};
std::string describe(const Place& place);

class Shadow {
 public:
  static constexpr size_t kStackBytes = 256 << 10;
  static constexpr size_t kArenaBytes = 16 << 20;

  Shadow();

  void reset();
  // What is wrong with this access; empty when nothing is.
  std::string touch(const void* at, size_t size, Touch how, unsigned thread, const Clocks& clocks,
                    const Place& place);

  std::byte* stack(unsigned thread) { return region_ + thread * kStackBytes; }
  static bool in_arena(const void* at);
  void* allocate(size_t bytes, size_t align, const void* code);
  // What is wrong, as above.
  std::string release(void* at, unsigned thread, const Clocks& clocks, const Place& place);
  // A list of what was not freed; empty when all was.
  std::string leaks() const;

 private:
  static constexpr size_t kGranule = 8;
  static constexpr size_t kRegion = kThreads * kStackBytes + kArenaBytes;
  static constexpr size_t kOutside = 1 << 15;  // granules that are in none of these

  struct Access {
    std::array<uint16_t, kGranule> clock;  // of each byte; 0: none
    Place place;
  };
  // Made of zeros by the system; those of another generation are empty.
  struct Cell {
    uint32_t generation;
    uint8_t writers;  // bit per thread
    uint8_t readers;
    uint8_t atomics;
    bool freed;
    uintptr_t granule;
    Access write[kThreads];
    Access read[kThreads];
  };
  struct Block {  // before what it describes
    size_t size;
    Block* next;
    const void* code;
    bool alive;
  };

  Cell* cell(uintptr_t granule);
  static bool earlier(const Access& access, size_t from, size_t to, uint32_t seen);

  static inline constinit std::byte* region_ = nullptr;  // there is one Shadow
  Cell* cells_;
  Cell* outside_;
  std::byte* top_ = nullptr;
  Block* blocks_ = nullptr;
  uint32_t generation_ = 0;
};

}  // namespace zokio::model
