// SPDX-License-Identifier: Apache-2.0
//
// Where a program under test meets the explorer without knowing it: the calls of the compiler's
// race instrumentation, memory, mutexes, futexes, yielding, panics, time, and the context of a
// thread. This file and the explorer itself are not instrumented.
//
// A relaxed access to a std::atomic is no step (explorer.h, limits).

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/env.h"
#include "engine.h"
#include "os/futex.h"
#include "os/topology.h"
#include "zokio/base/assert.h"
#include "zokio/mem/frame.h"
#include "zokio/task/context.h"
#include "zokio/task/header.h"

namespace zokio::model {
namespace {

Engine& engine() {
  return Engine::get();
}

Place at_line(Where where) {
  return {.file = where.file_name(), .line = where.line()};
}
Place at_code(const void* code) {
  return {.code = code};
}

std::memory_order order_of(int order) {
  return static_cast<std::memory_order>(order);
}

template <class T>
uint64_t word_of(T value) {
  uint64_t word = 0;
  std::memcpy(&word, &value, sizeof value);
  return word;
}

// A thread's context, for one execution.
task::Context contexts[kThreads];

// Time stands still: what depends on it is given its deadlines by the model.
class Oracle final : public env::Oracle {
  int64_t now_ns() noexcept override { return now; }
  uint32_t choose(env::Choice, uint32_t n) noexcept override {
    return in_execution() ? model::choose(n) : 0;
  }
  bool fault(env::Fault) noexcept override { return false; }

 public:
  int64_t now = 1'000'000'000;
};
Oracle oracle;

}  // namespace

void begin_execution() noexcept {
  for (task::Context& context : contexts) context = {};
  env::set_oracle(&oracle);
}

// --- Atomic<T> ----------------------------------------------------------------------------------

uint64_t load(const void* at, unsigned size, std::memory_order order, Where where) noexcept {
  if (Engine::watching()) return engine().load(at, size, order, at_line(where), true);
  uint64_t value = 0;
  std::memcpy(&value, at, size);
  return value;
}

void store(void* at, unsigned size, uint64_t value, std::memory_order order, Where where) noexcept {
  if (Engine::watching())
    engine().store(at, size, value, order, at_line(where), true);
  else
    std::memcpy(at, &value, size);
}

uint64_t modify(void* at, unsigned size, Rmw what, uint64_t operand, std::memory_order order,
                Where where) noexcept {
  if (Engine::watching())
    return engine().modify(at, size, what, operand, order, at_line(where), true);
  return modify_now(at, size, what, operand);
}

bool compare_exchange(void* at, unsigned size, uint64_t& expected, uint64_t desired,
                      std::memory_order success, std::memory_order failure, bool weak,
                      Where where) noexcept {
  if (Engine::watching())
    return engine().compare_exchange(at, size, expected, desired, success, failure, weak,
                                     at_line(where));
  return compare_exchange_now(at, size, expected, desired);
}

void fence(std::memory_order order, Where where) noexcept {
  if (Engine::watching()) engine().fence(order, at_line(where));
}

void spin_pause(Where where) noexcept {
  if (Engine::watching()) engine().spin_pause(at_line(where));
}

void constructed(const void* at) noexcept {
  if (Engine::watching()) engine().constructed(at);
}

// --- explorer.h ---------------------------------------------------------------------------------

void check(bool holds, const char* text, Where where) noexcept {
  if (holds || !Engine::watching()) return;
  fail(std::string(text) + " does not hold at " + describe(at_line(where)));
}

void fail(std::string_view text) noexcept {
  engine().fail(text);
}

unsigned choose(unsigned n) noexcept {
  return Engine::watching() ? engine().choose(n) : 0;
}

unsigned this_thread() noexcept {
  return Engine::watching() ? engine().current() : 0;
}

bool in_execution() noexcept {
  return Engine::watching();
}

void plain_access(const void* at, size_t size, bool write, Where where) noexcept {
  if (Engine::watching()) engine().touch(at, size, write, at_line(where));
}

bool sleep_on(const void* at, bool has_deadline, Where where) noexcept {
  return engine().sleep_on(at, has_deadline, at_line(where));
}

void wake(const void* at, unsigned most, Where where) noexcept {
  if (Engine::watching()) engine().wake(at, most, at_line(where), true);
}

Channel::Channel() noexcept : index_(engine().new_channel()) {}
void Channel::send(void* item, Where where) noexcept {
  engine().send(index_, item, at_line(where));
}
void* Channel::receive(Where where) noexcept {
  return engine().receive(index_, at_line(where));
}
void Channel::close(Where where) noexcept {
  engine().close(index_, at_line(where));
}

}  // namespace zokio::model

// --- The runtime's own seams --------------------------------------------------------------------

namespace zokio::internal {
void panic(const char* file, int line, const char* condition, const char* message) noexcept {
  if (model::Engine::watching())
    model::fail(std::string("fatal: ") + message + " (" + condition + ") at " +
                model::describe({.file = file, .line = static_cast<unsigned>(line)}));
  std::fprintf(stderr, "fatal: %s (%s) at %s:%d\n", message, condition, file, line);
  std::abort();
}
}  // namespace zokio::internal

namespace zokio::task {
// Which is in the same file.
constinit std::array<std::atomic<Executor*>, kGroups> executor_table{};

Context& context() noexcept {
  return model::contexts[model::this_thread()];
}
}  // namespace zokio::task

// Frames are the arena's, so that their use after the end is found.
namespace zokio::mem {
void* allocate_frame_slow(std::size_t bytes) noexcept {
  return ::operator new(bytes);
}
void free_frame_slow(void* frame, std::size_t bytes) noexcept {
  ::operator delete(frame, bytes);
}
}  // namespace zokio::mem

namespace zokio::os {

void futex_wait(Atomic<uint32_t>& word, uint32_t expected, Instant deadline) noexcept {
  if (model::Engine::watching())
    model::engine().futex_wait(&word, expected, !deadline.is_never(),
                               model::at_code(__builtin_return_address(0)));
}

void futex_wake(Atomic<uint32_t>& word, int count) noexcept {
  if (model::Engine::watching())
    model::engine().wake(&word, static_cast<unsigned>(count),
                         model::at_code(__builtin_return_address(0)), true);
}

// Every execution is on the same machine: one processor, no files.
uint32_t current_cpu() noexcept {
  return 0;
}
CacheDomains CacheDomains::load(const std::string&) {
  return {};
}

}  // namespace zokio::os

// --- The C library ------------------------------------------------------------------------------

namespace zokio::model {
namespace {

void* allocate(size_t bytes, size_t align, const void* code) {
  if (Engine::watching()) return engine().allocate(bytes == 0 ? 1 : bytes, align, code);
  void* memory = align <= 16 ? std::malloc(bytes == 0 ? 1 : bytes)
                             : std::aligned_alloc(align, (bytes + align - 1) / align * align);
  if (memory == nullptr) std::abort();
  return memory;
}

void release(void* at, const void* code) {
  if (at != nullptr && !Engine::release(at, code)) std::free(at);
}

using MutexCall = int (*)(pthread_mutex_t*);
MutexCall real(const char* name) {
  return reinterpret_cast<MutexCall>(dlsym(RTLD_NEXT, name));
}

}  // namespace
}  // namespace zokio::model

void* operator new(size_t n) {
  return zokio::model::allocate(n, 16, __builtin_return_address(0));
}
void* operator new[](size_t n) {
  return zokio::model::allocate(n, 16, __builtin_return_address(0));
}
void* operator new(size_t n, std::align_val_t align) {
  return zokio::model::allocate(n, static_cast<size_t>(align), __builtin_return_address(0));
}
void* operator new(size_t n, const std::nothrow_t&) noexcept {
  return zokio::model::allocate(n, 16, __builtin_return_address(0));
}
void operator delete(void* at) noexcept {
  zokio::model::release(at, __builtin_return_address(0));
}
void operator delete[](void* at) noexcept {
  zokio::model::release(at, __builtin_return_address(0));
}
void operator delete(void* at, size_t) noexcept {
  zokio::model::release(at, __builtin_return_address(0));
}
void operator delete[](void* at, size_t) noexcept {
  zokio::model::release(at, __builtin_return_address(0));
}
void operator delete(void* at, std::align_val_t) noexcept {
  zokio::model::release(at, __builtin_return_address(0));
}
void operator delete(void* at, size_t, std::align_val_t) noexcept {
  zokio::model::release(at, __builtin_return_address(0));
}

extern "C" {

int sched_yield() noexcept {
  if (zokio::model::Engine::watching())
    zokio::model::engine().spin_pause(zokio::model::at_code(__builtin_return_address(0)));
  return 0;
}

// The first word of a mutex is 0 when it is free; in an execution it is a lock of the explorer.
int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static const auto next = zokio::model::real("pthread_mutex_lock");
  auto& engine = zokio::model::engine();
  if (!zokio::model::Engine::watching()) return next(mutex);
  const auto place = zokio::model::at_code(__builtin_return_address(0));
  while (engine.modify(mutex, 4, zokio::model::Rmw::Exchange, 1, std::memory_order_acquire, place,
                       true) != 0)
    engine.sleep_on(mutex, false, place);
  return 0;
}

int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  static const auto next = zokio::model::real("pthread_mutex_trylock");
  auto& engine = zokio::model::engine();
  if (!zokio::model::Engine::watching()) return next(mutex);
  const auto place = zokio::model::at_code(__builtin_return_address(0));
  return engine.modify(mutex, 4, zokio::model::Rmw::Exchange, 1, std::memory_order_acquire, place,
                       true) == 0
             ? 0
             : EBUSY;
}

int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  static const auto next = zokio::model::real("pthread_mutex_unlock");
  auto& engine = zokio::model::engine();
  if (!zokio::model::Engine::watching()) return next(mutex);
  const auto place = zokio::model::at_code(__builtin_return_address(0));
  engine.store(mutex, 4, 0, std::memory_order_release, place, true);
  engine.wake(mutex, 1, place, false);
  return 0;
}

// --- The compiler's race instrumentation --------------------------------------------------------

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

#define MODEL_PLAIN(name, size, write)                                                  \
  void __tsan_##name(void* at) {                                                        \
    if (zokio::model::Engine::watching())                                               \
      zokio::model::engine().touch(at, size, write,                                     \
                                   zokio::model::at_code(__builtin_return_address(0))); \
  }
#define MODEL_PLAIN_SIZE(size)                   \
  MODEL_PLAIN(read##size, size, false)           \
  MODEL_PLAIN(write##size, size, true)           \
  MODEL_PLAIN(unaligned_read##size, size, false) \
  MODEL_PLAIN(unaligned_write##size, size, true)
MODEL_PLAIN_SIZE(1)
MODEL_PLAIN_SIZE(2)
MODEL_PLAIN_SIZE(4)
MODEL_PLAIN_SIZE(8)
MODEL_PLAIN_SIZE(16)
MODEL_PLAIN(vptr_read, 8, false)

void __tsan_vptr_update(void** at, void* value) {
  // An update to the same value, as each destructor of the most derived class does, is no change.
  if (*at != value && zokio::model::Engine::watching())
    zokio::model::engine().touch(at, 8, true, zokio::model::at_code(__builtin_return_address(0)));
}

void* __tsan_memcpy(void* to, const void* from, size_t n) {
  auto& engine = zokio::model::engine();
  const auto place = zokio::model::at_code(__builtin_return_address(0));
  if (zokio::model::Engine::watching()) engine.touch(from, n, false, place);
  if (zokio::model::Engine::watching()) engine.touch(to, n, true, place);
  return memcpy(to, from, n);
}
void* __tsan_memmove(void* to, const void* from, size_t n) {
  auto& engine = zokio::model::engine();
  const auto place = zokio::model::at_code(__builtin_return_address(0));
  if (zokio::model::Engine::watching()) engine.touch(from, n, false, place);
  if (zokio::model::Engine::watching()) engine.touch(to, n, true, place);
  return memmove(to, from, n);
}
void* __tsan_memset(void* to, int value, size_t n) {
  auto& engine = zokio::model::engine();
  if (zokio::model::Engine::watching())
    engine.touch(to, n, true, zokio::model::at_code(__builtin_return_address(0)));
  return memset(to, value, n);
}

// std::atomic and the builtins.

#define MODEL_RMW(bits, T, name, what)                                                  \
  T __tsan_atomic##bits##_##name(volatile T* at, T value, int order) {                  \
    auto& engine = zokio::model::engine();                                              \
    void* plain = const_cast<T*>(at);                                                   \
    if (!zokio::model::Engine::watching())                                              \
      return static_cast<T>(zokio::model::modify_now(plain, sizeof(T), what, value));   \
    return static_cast<T>(                                                              \
        engine.modify(plain, sizeof(T), what, value, zokio::model::order_of(order),     \
                      zokio::model::at_code(__builtin_return_address(0)), order != 0)); \
  }
#define MODEL_CAS(bits, T, name, weak)                                                            \
  int __tsan_atomic##bits##_compare_exchange_##name(volatile T* at, T* expected, T desired,       \
                                                    int success, int failure) {                   \
    auto& engine = zokio::model::engine();                                                        \
    void* plain = const_cast<T*>(at);                                                             \
    uint64_t seen = *expected;                                                                    \
    const bool done = zokio::model::Engine::watching()                                            \
                          ? engine.compare_exchange(                                              \
                                plain, sizeof(T), seen, desired, zokio::model::order_of(success), \
                                zokio::model::order_of(failure), weak,                            \
                                zokio::model::at_code(__builtin_return_address(0)))               \
                          : zokio::model::compare_exchange_now(plain, sizeof(T), seen, desired);  \
    if (!done) *expected = static_cast<T>(seen);                                                  \
    return done;                                                                                  \
  }
#define MODEL_ATOMIC(bits, T)                                                                      \
  T __tsan_atomic##bits##_load(const volatile T* at, int order) {                                  \
    auto& engine = zokio::model::engine();                                                         \
    const void* plain = const_cast<const T*>(at);                                                  \
    if (!zokio::model::Engine::watching()) return *at;                                             \
    return static_cast<T>(engine.load(plain, sizeof(T), zokio::model::order_of(order),             \
                                      zokio::model::at_code(__builtin_return_address(0)),          \
                                      order != 0));                                                \
  }                                                                                                \
  void __tsan_atomic##bits##_store(volatile T* at, T value, int order) {                           \
    auto& engine = zokio::model::engine();                                                         \
    void* plain = const_cast<T*>(at);                                                              \
    if (!zokio::model::Engine::watching())                                                         \
      *at = value;                                                                                 \
    else                                                                                           \
      engine.store(plain, sizeof(T), value, zokio::model::order_of(order),                         \
                   zokio::model::at_code(__builtin_return_address(0)), order != 0);                \
  }                                                                                                \
  MODEL_RMW(bits, T, exchange, zokio::model::Rmw::Exchange)                                        \
  MODEL_RMW(bits, T, fetch_add, zokio::model::Rmw::Add)                                            \
  MODEL_RMW(bits, T, fetch_sub, zokio::model::Rmw::Sub)                                            \
  MODEL_RMW(bits, T, fetch_and, zokio::model::Rmw::And)                                            \
  MODEL_RMW(bits, T, fetch_or, zokio::model::Rmw::Or)                                              \
  MODEL_RMW(bits, T, fetch_xor, zokio::model::Rmw::Xor)                                            \
  MODEL_CAS(bits, T, strong, false)                                                                \
  MODEL_CAS(bits, T, weak, true)                                                                   \
  T __tsan_atomic##bits##_compare_exchange_val(volatile T* at, T expected, T desired, int success, \
                                               int failure) {                                      \
    __tsan_atomic##bits##_compare_exchange_strong(at, &expected, desired, success, failure);       \
    return expected;                                                                               \
  }
MODEL_ATOMIC(8, uint8_t)
MODEL_ATOMIC(16, uint16_t)
MODEL_ATOMIC(32, uint32_t)
MODEL_ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(int order) {
  auto& engine = zokio::model::engine();
  if (zokio::model::Engine::watching())
    engine.fence(zokio::model::order_of(order), zokio::model::at_code(__builtin_return_address(0)));
}
void __tsan_atomic_signal_fence(int) {}

}  // extern "C"
