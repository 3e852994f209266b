// SPDX-License-Identifier: Apache-2.0
//
// The floor of `./dev bench mem`: inline free lists of the thread, one for each size, filled from a
// chunk. Nothing is counted, bounded or given back. What an allocator adds to this is its price.
// Thread: blocks that another thread freed come back in lists of 64 by one shared stack.

#include <sys/mman.h>

#include "workloads.h"

namespace bench::mem {
namespace {

struct Free {
  Free* next;
  Free* next_list;  // in the shared stack, of the first block of a list
};

constexpr size_t kFine = 1024;
constexpr size_t kClasses = kFine / 16 + 6;

// 16-byte steps to 1 KiB, then powers of two to 64 KiB.
constexpr size_t class_of(size_t bytes) {
  if (bytes <= kFine) return (bytes - 1) / 16;
  return kFine / 16 + std::bit_width(bytes - 1) - 11;
}
constexpr size_t class_bytes(size_t cls) {
  return cls < kFine / 16 ? (cls + 1) * 16 : size_t{2048} << (cls - kFine / 16);
}
static_assert(class_of(65536) == kClasses - 1 && class_bytes(kClasses - 1) == 65536);

constinit thread_local Free* lists[kClasses]{};
constinit thread_local std::byte* chunk = nullptr;
constinit thread_local size_t chunk_left = 0;

[[gnu::noinline]] void* carve(size_t cls) {
  constexpr size_t kChunk = size_t{1} << 22;
  const size_t bytes = class_bytes(cls);
  if (chunk_left < bytes) {
    void* memory =
        mmap(nullptr, kChunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    chunk = static_cast<std::byte*>(memory);
    chunk_left = kChunk;
  }
  void* memory = chunk;
  chunk += bytes;
  chunk_left -= bytes;
  return memory;
}

struct Floor {
  template <size_t>
  using For = Floor;
  static constexpr size_t kLargest = 65536;

  struct Thread {};

  static void* allocate(size_t bytes) {
    const size_t cls = class_of(bytes);
    Free* block = lists[cls];
    if (block == nullptr) [[unlikely]]
      return carve(cls);
    lists[cls] = block->next;
    return block;
  }
  static void deallocate(void* memory, size_t bytes) {
    auto* block = static_cast<Free*>(memory);
    const size_t cls = class_of(bytes);
    block->next = lists[cls];
    lists[cls] = block;
  }
  template <size_t Bytes>
  static void* allocate_fixed() {
    return allocate(Bytes);
  }
  template <size_t Bytes>
  static void deallocate_fixed(void* memory) {
    deallocate(memory, Bytes);
  }
  static void trim() {}
};

constexpr unsigned kListLength = 64;
constinit std::atomic<Free*> returned[kClasses]{};
constinit thread_local unsigned lengths[kClasses]{};
constinit thread_local Free* taken[kClasses]{};  // lists that came back, not yet in use

// The whole stack is taken at once, so that no address comes back between a read and its exchange.
[[gnu::noinline]] void* refill(size_t cls) {
  if (taken[cls] == nullptr) taken[cls] = returned[cls].exchange(nullptr);
  Free* list = taken[cls];
  if (list == nullptr) return carve(cls);
  taken[cls] = list->next_list;
  lists[cls] = list->next;
  lengths[cls] = kListLength - 1;
  return list;
}

[[gnu::noinline]] void give_back(size_t cls) {
  Free* list = lists[cls];
  list->next_list = returned[cls].load(std::memory_order_relaxed);
  while (!returned[cls].compare_exchange_weak(list->next_list, list, std::memory_order_release,
                                              std::memory_order_relaxed)) {
  }
  lists[cls] = nullptr;
  lengths[cls] = 0;
}

// For threads that free what others allocate.
struct SharedFloor {
  template <size_t>
  using For = SharedFloor;

  struct Thread {};

  static void* allocate(size_t bytes) {
    const size_t cls = class_of(bytes);
    Free* block = lists[cls];
    if (block == nullptr) [[unlikely]]
      return refill(cls);
    lists[cls] = block->next;
    --lengths[cls];
    return block;
  }
  static void deallocate(void* memory, size_t bytes) {
    auto* block = static_cast<Free*>(memory);
    const size_t cls = class_of(bytes);
    block->next = lists[cls];
    lists[cls] = block;
    if (++lengths[cls] == kListLength) [[unlikely]]
      give_back(cls);
  }
};

}  // namespace
}  // namespace bench::mem

int main(int argc, char** argv) {
  using namespace bench::mem;
  Table all = local_workloads<Floor>();
  append(all, cross_workloads<SharedFloor>());
  append(all, frame_workloads<Floor>());
  append(all, live_workloads<Floor>());
  return bench::main_of(argc, argv, all);
}
