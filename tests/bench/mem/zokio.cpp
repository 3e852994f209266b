// SPDX-License-Identifier: Apache-2.0
//
// `./dev bench mem` through the inline entries of the runtime, by threads that have its cache.

#include "workloads.h"
#include "zokio/mem/frame.h"
#include "zokio/mem/pools.h"
#include "zokio/mem/thread_cache.h"
#if __has_include("zokio/mem/allocate.h")
#include "zokio/mem/allocate.h"
#define BENCH_HAS_ALLOCATE 1
#endif

namespace bench::mem {
namespace {

class CachedThread {
 public:
  CachedThread() { zokio::mem::set_current_cache(cache_); }
  CachedThread(const CachedThread&) = delete;
  CachedThread& operator=(const CachedThread&) = delete;
  ~CachedThread() { zokio::mem::release_thread_cache(cache_); }

 private:
  zokio::mem::ThreadCache* cache_ = zokio::mem::acquire_thread_cache();
};

struct ZokioFrames {
  template <size_t>
  using For = ZokioFrames;
  using Thread = CachedThread;

  static void* allocate(size_t bytes) { return zokio::mem::allocate_frame(bytes); }
  static void deallocate(void* frame, size_t bytes) { zokio::mem::free_frame(frame, bytes); }
};

#ifdef BENCH_HAS_ALLOCATE
struct Zokio {
  template <size_t>
  using For = Zokio;
  using Thread = CachedThread;
  static constexpr size_t kLargest = 65536;

  static void* allocate(size_t bytes) { return zokio::mem::allocate(bytes); }
  static void deallocate(void* memory, size_t bytes) { zokio::mem::deallocate(memory, bytes); }
  template <size_t Bytes>
  static void* allocate_fixed() {
    return zokio::mem::allocate<Bytes>();
  }
  template <size_t Bytes>
  static void deallocate_fixed(void* memory) {
    zokio::mem::deallocate<Bytes>(memory);
  }
  static void trim() { zokio::mem::trim(); }
};
#endif

Table all_workloads() {
  Table all = frame_workloads<ZokioFrames>();
#ifdef BENCH_HAS_ALLOCATE
  append(all, local_workloads<Zokio>());
  append(all, cross_workloads<Zokio>());
  append(all, live_workloads<Zokio>());
#endif
  return all;
}

}  // namespace
}  // namespace bench::mem

int main(int argc, char** argv) {
  return bench::main_of(argc, argv, bench::mem::all_workloads());
}
