// SPDX-License-Identifier: Apache-2.0
//
// `./dev bench mem` through malloc and free, the C library's or those of a library in LD_PRELOAD.
//
//   bench_mem_malloc whose      prints the file that malloc comes from
//
// Compiled without the compiler's knowledge of malloc, so that no pair is elided.

#include <dlfcn.h>
#include <malloc.h>

#include <cstdlib>

#include "workloads.h"

namespace bench::mem {
namespace {

template <class F>
F* find(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_DEFAULT, name));
}

// With this thread's cache. Each by its own name; who has none of its own replaces the C library's
// malloc_trim.
void trim_malloc() {
  if (auto* collect = find<void(bool)>("mi_collect")) return collect(true);
  if (auto* release = find<void()>("MallocExtension_ReleaseFreeMemory")) {
    if (auto* flush = find<void()>("MallocExtension_MarkThreadIdle")) flush();
    return release();
  }
  if (auto* control = find<int(const char*, void*, size_t*, void*, size_t)>("mallctl")) {
    control("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
    control("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // 4096: all arenas
    return;
  }
  malloc_trim(0);
}

struct Malloc {
  template <size_t>
  using For = Malloc;
  static constexpr size_t kLargest = 65536;

  struct Thread {};

  static void* allocate(size_t bytes) { return std::malloc(bytes); }
  static void deallocate(void* memory, size_t) { std::free(memory); }
  template <size_t Bytes>
  static void* allocate_fixed() {
    return std::malloc(Bytes);
  }
  template <size_t>
  static void deallocate_fixed(void* memory) {
    std::free(memory);
  }
  static void trim() { trim_malloc(); }
};

int print_whose() {
  Dl_info info{};
  void* (*function)(size_t) = &std::malloc;
  opaque(function);
  if (dladdr(reinterpret_cast<void*>(function), &info) == 0) return 1;
  std::puts(info.dli_fname);
  return 0;
}

}  // namespace
}  // namespace bench::mem

int main(int argc, char** argv) {
  using namespace bench::mem;
  if (argc == 2 && std::string_view(argv[1]) == "whose") return print_whose();
  Table all;
  for (const auto& more : {local_workloads<Malloc>(), cross_workloads<Malloc>(),
                           frame_workloads<Malloc>(), live_workloads<Malloc>()})
    append(all, more);
  return bench::main_of(argc, argv, all);
}
