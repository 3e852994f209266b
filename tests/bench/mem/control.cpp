// SPDX-License-Identifier: Apache-2.0
//
// The control of `./dev bench mem`: the loops, patterns and rings of the workloads over memory that
// lies ready, without an allocator.
// Thread: each thread has its own memory; the places of a ring are the producer's.

#include <sys/mman.h>

#include "workloads.h"

namespace bench::mem {
namespace {

constexpr size_t kPlaces = 10'000;

// Places of `Stride` bytes side by side, as dense as the blocks of an allocator would lie.
template <size_t Stride>
struct Places {
  class Thread {
   public:
    Thread() {
      void* memory = mmap(nullptr, kPlaces * Stride, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (memory == MAP_FAILED) std::abort();
      base = static_cast<std::byte*>(memory);
    }
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
    ~Thread() { munmap(base, kPlaces * Stride); }
  };

  static std::byte* place(size_t slot) { return base + slot * Stride; }

  static inline constinit thread_local std::byte* base = nullptr;
};

struct Control {
  // Blocks of 8 to 65,536 bytes are a tenth of that in the mean: smaller ones in places of 8 KiB
  // stand for them. Not quite 8 KiB, so that they use all sets of a cache. A pair has one place.
  static constexpr size_t kLargest = 8192;
  template <size_t MaxBytes>
  using For = Places<std::min(MaxBytes, kLargest + 64)>;
};

}  // namespace
}  // namespace bench::mem

int main(int argc, char** argv) {
  using namespace bench::mem;
  Table all = local_workloads<Control>();
  append(all, cross_workloads<Control>());
  append(all, frame_workloads<Control>());
  return bench::main_of(argc, argv, all);
}
