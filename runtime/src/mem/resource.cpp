// SPDX-License-Identifier: Apache-2.0
#include "zokio/mem/resource.h"

#include <new>

#include "zokio/mem/allocate.h"

namespace zokio::mem {
namespace {

class HeapResource final : public std::pmr::memory_resource {
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* p = alignment <= kAlignment ? mem::allocate(bytes) : allocate_aligned(bytes, alignment);
    if (p == nullptr) throw std::bad_alloc();
    return p;
  }
  void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
    if (alignment <= kAlignment)
      mem::deallocate(p, bytes);
    else
      mem::deallocate(p);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

// Never destroyed: containers may outlive every static object.
union Storage {
  Storage() : resource() {}
  ~Storage() {}
  HeapResource resource;
};

}  // namespace

std::pmr::memory_resource& heap_resource() noexcept {
  static Storage storage;
  return storage.resource;
}

}  // namespace zokio::mem
