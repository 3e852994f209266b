// SPDX-License-Identifier: Apache-2.0
#include "allocator_ops.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

#include "zokio/mem/allocate.h"
#include "zokio/mem/frame.h"
#include "zokio/mem/mode.h"
#include "zokio/mem/pools.h"
#include "zokio/mem/thread_cache.h"

namespace fuzz {
namespace {

namespace mem = zokio::mem;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "allocator_ops: %s does not hold\n", what);
  std::abort();
}

enum class Kind : uint8_t { None, Heap, Aligned, Fixed, Frame };
constexpr std::size_t kFixed = 40;

struct Block {
  unsigned char* p = nullptr;
  std::size_t bytes = 0;
  uint32_t mark = 0;
  Kind kind = Kind::None;

  unsigned char pattern(std::size_t at) const {
    return static_cast<unsigned char>(mark * 0x9E3779B1u >> 24) ^
           static_cast<unsigned char>(at * 31 + (at >> 8) * 7);
  }
  void fill() {
    for (std::size_t at = 0; at < bytes; ++at) p[at] = pattern(at);
  }
  bool intact(std::size_t count) const {
    for (std::size_t at = 0; at < count; ++at)
      if (p[at] != pattern(at)) return false;
    return true;
  }
};

class Run {
 public:
  explicit Run(std::span<const uint8_t> input) : input_(input) {
    for (mem::ThreadCache*& cache : caches_) cache = mem::acquire_thread_cache();
  }
  ~Run() {
    for (mem::ThreadCache* cache : caches_) mem::release_thread_cache(cache);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  std::size_t all() {
    std::size_t operations = 0;
    // More would be slow and find nothing that a shorter one does not.
    for (; at_ < input_.size() && operations < 4096; ++operations) {
      const uint8_t code = byte();
      mem::set_current_cache(caches_[code >> 7]);
      one(code & 0x7F);
    }
    for (Block& block : blocks_) free(block, 0);
    // UltraFast counts what a thread keeps as in use.
    for (mem::ThreadCache* cache : caches_) mem::drain_thread_cache(cache);
    static_cast<void>(mem::set_limit("heap", 0));
    mem::trim();
    return operations;
  }

 private:
  uint8_t byte() { return at_ < input_.size() ? input_[at_++] : uint8_t{0}; }
  // Of all magnitudes; the larger, the rarer, up to 3 MiB.
  std::size_t size() {
    const unsigned power = byte() % 24;
    const std::size_t low = byte() | byte() << 8;
    if (power >= 20 && low % 8 != 0) return low % 1024;
    const std::size_t base = std::size_t{1} << power;
    return base + low * base / 65536 - low % 2;
  }

  void one(uint8_t code) {
    Block& block = blocks_[byte() % blocks_.size()];
    if (block.kind != Kind::None && code % 16 < 11) return free(block, byte());
    switch (code % 16) {
      case 0:
      case 1:
      case 2:
        return allocated(block, Kind::Heap, size(), [](std::size_t n) { return mem::allocate(n); });
      case 3:
      case 4: {
        const std::size_t alignment = std::size_t{1} << byte() % 23;
        return allocated(block, Kind::Aligned, size(), [alignment](std::size_t n) {
          void* p = mem::allocate_aligned(n, alignment);
          require(reinterpret_cast<std::uintptr_t>(p) % alignment == 0, "the alignment");
          return p;
        });
      }
      case 5:
      case 6:
        return zeroed(block);
      case 7:
      case 8:
        return allocated(block, Kind::Fixed, kFixed,
                         [](std::size_t) { return mem::allocate<kFixed, 8>(); });
      case 9:
      case 10:
        return allocated(block, Kind::Frame, 1 + size() % 5000,
                         [](std::size_t n) { return mem::allocate_frame(n); });
      case 11:
      case 12:
      case 13:
        return reallocated(block);
      case 14:
        return look(block);
      default:
        return control(byte());
    }
  }

  template <class F>
  void allocated(Block& block, Kind kind, std::size_t bytes, F allocate) {
    auto* const p = static_cast<unsigned char*>(allocate(bytes));
    if (p == nullptr) {
      require(limited_, "memory without a limit");
      return;
    }
    if (kind != Kind::Frame) require(mem::usable_size(p) >= bytes, "the usable size");
    require(kind == Kind::Fixed || reinterpret_cast<std::uintptr_t>(p) % 16 == 0, "the alignment");
    block = {p, bytes, ++marks_, kind};
    block.fill();
  }

  void zeroed(Block& block) {
    const std::size_t bytes = size();
    auto* const p = static_cast<unsigned char*>(mem::allocate_zeroed(bytes));
    if (p == nullptr) return require(limited_, "memory without a limit");
    for (std::size_t at = 0; at < bytes; ++at) require(p[at] == 0, "that all is zero");
    block = {p, bytes, ++marks_, Kind::Heap};
    block.fill();
  }

  void free(Block& block, uint8_t how) {
    require(block.intact(block.bytes), "the content of a block");
    const Block old = std::exchange(block, {});
    switch (old.kind) {
      case Kind::None:
        return;
      case Kind::Frame:
        return mem::free_frame(old.p, old.bytes);
      case Kind::Fixed:
        return how % 2 == 0 ? mem::deallocate<kFixed, 8>(old.p) : mem::deallocate(old.p);
      case Kind::Heap:
        if (how % 2 == 0) return mem::deallocate(old.p, old.bytes);
        [[fallthrough]];
      case Kind::Aligned:
        return mem::deallocate(old.p);
    }
  }

  void reallocated(Block& block) {
    if (block.kind != Kind::Heap && block.kind != Kind::Aligned && block.kind != Kind::None) return;
    const std::size_t bytes = size();
    auto* const p = static_cast<unsigned char*>(mem::reallocate(block.p, bytes));
    if (p == nullptr) return require(limited_, "memory without a limit");
    block.p = p;
    require(block.intact(std::min(block.bytes, bytes)), "the content that a reallocation keeps");
    // A block that stays where it is keeps its class, so its new size must not be used to free it.
    block = {p, bytes, ++marks_, Kind::Aligned};
    block.fill();
  }

  void look(const Block& block) {
    require(block.intact(block.bytes), "the content of a block");
    if (block.kind != Kind::None && block.kind != Kind::Frame)
      require(mem::usable_size(block.p) >= block.bytes, "the usable size");
  }

  void control(uint8_t what) {
    switch (what % 4) {
      case 0:
        mem::trim();
        return;
      case 1:
        limited_ = true;
        static_cast<void>(mem::set_limit("heap", 1 + std::size_t{what} * 40'000, what % 8 < 4));
        return;
      case 2:
        static_cast<void>(mem::set_limit("heap", 0));
        limited_ = false;
        return;
      default: {
        mem::ThreadCache* const cache = mem::current_cache();
        mem::park_thread_cache(cache);
        mem::unpark_thread_cache(cache);
      }
    }
  }

  std::span<const uint8_t> input_;
  std::array<mem::ThreadCache*, 2> caches_{};
  std::size_t at_ = 0;
  std::array<Block, 64> blocks_{};
  uint32_t marks_ = 0;
  bool limited_ = false;
};

void require_empty(const char* what) {
  for (const zokio::PoolSnapshot& pool : mem::snapshots())
    require(pool.in_use_bytes == 0 && !pool.shrinking, what);
}

}  // namespace

std::size_t run_allocator_ops(const uint8_t* data, std::size_t size) {
  const std::size_t operations = Run({data, size}).all();
  require_empty("that all is free");
  return operations;
}

}  // namespace fuzz
