// SPDX-License-Identifier: Apache-2.0
//
// The calls of malloc and free of a program, written to a file: LD_PRELOAD this, with the name of
// the file in ZOKIO_TRACE. Only what the first thread does, and only the program's first image.
// pack.py makes of it what replay.cpp plays.
// Thread: any; calls of other threads pass through.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

struct Record {
  uint64_t address;
  uint64_t bytes;  // 0: freed
};

constexpr uint64_t kRecords = 4u << 20;

Record* records = nullptr;
uint64_t used = 0;
pid_t first_thread = 0;
bool ready = false;

// What is asked for before begin() ran, by dlsym and by other constructors; never freed.
alignas(16) char early[1 << 20];
std::size_t early_used = 0;

void* (*real_malloc)(std::size_t) = nullptr;
void* (*real_realloc)(void*, std::size_t) = nullptr;
void* (*real_calloc)(std::size_t, std::size_t) = nullptr;
void* (*real_aligned)(std::size_t, std::size_t) = nullptr;
void (*real_free)(void*) = nullptr;

template <class F>
void find(F& function, const char* name) {
  function = reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

[[gnu::constructor]] void begin() {
  find(real_malloc, "malloc");
  find(real_realloc, "realloc");
  find(real_calloc, "calloc");
  find(real_aligned, "aligned_alloc");
  find(real_free, "free");
  const char* name = std::getenv("ZOKIO_TRACE");
  if (name == nullptr) return;
  const int file = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);  // programs it starts find it there
  if (file < 0 || ftruncate(file, kRecords * sizeof(Record)) != 0) return;
  void* memory =
      mmap(nullptr, kRecords * sizeof(Record), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) return;
  records = static_cast<Record*>(memory);
  first_thread = gettid();
  ready = true;
}

void note(void* p, std::size_t bytes) {
  if (!ready || p == nullptr || used == kRecords || gettid() != first_thread) return;
  records[used++] = {reinterpret_cast<uint64_t>(p), bytes};
}

bool is_early(void* p) {
  return p >= early && p < early + sizeof early;
}

void* take_early(std::size_t bytes) {
  void* p = early + early_used;
  early_used += (bytes + 15) & ~std::size_t{15};
  return early_used <= sizeof early ? p : nullptr;
}

void* noted(void* p, std::size_t bytes) {
  note(p, bytes == 0 ? 1 : bytes);
  return p;
}

}  // namespace

extern "C" {

void* malloc(std::size_t bytes) {
  return real_malloc == nullptr ? take_early(bytes) : noted(real_malloc(bytes), bytes);
}
void free(void* p) {
  if (p == nullptr || is_early(p)) return;
  note(p, 0);
  real_free(p);
}
void* calloc(std::size_t count, std::size_t bytes) {
  return real_calloc == nullptr ? take_early(count * bytes)
                                : noted(real_calloc(count, bytes), count * bytes);
}
void* realloc(void* p, std::size_t bytes) {
  if (real_realloc == nullptr || is_early(p)) {
    void* to = malloc(bytes);  // what is behind early memory is early memory
    if (p != nullptr && to != nullptr) std::memmove(to, p, bytes);
    return to;
  }
  note(p, 0);
  return noted(real_realloc(p, bytes), bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  return noted(real_aligned(alignment, bytes), bytes);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t bytes) {
  *p = noted(real_aligned(alignment, bytes), bytes);
  return *p == nullptr ? 12 : 0;
}
}
