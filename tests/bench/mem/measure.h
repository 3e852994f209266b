// SPDX-License-Identifier: Apache-2.0
#pragma once

// How the workloads of `./dev bench mem` reach an allocator, and how they are timed.
//
// An allocator policy has
//   class Thread                                      what a thread needs while it allocates
//   allocate(bytes), deallocate(memory, bytes)        the size is known at run time
//   allocate_fixed<Bytes>(), deallocate_fixed<Bytes>(memory)     it is known to the compiler
//   template <size_t MaxBytes> using For              the policy for blocks of at most so many
//   bytes kLargest                                          the largest block of the workload
//   slots_large
// `control` has place(slot) instead, which gives the memory of a slot without allocating.
// Thread: `config.workers` threads do the same work side by side, each with its own blocks; the
// main thread is the first of them.

#include <fcntl.h>

#include <barrier>
#include <memory>
#include <thread>

#include "pattern.h"

namespace bench::mem {

template <class A>
concept WithoutAllocator = requires { A::place(size_t{0}); };

// Memory of a size that the compiler does not know. `slot` tells blocks that are live together
// apart.
template <class A>
inline std::byte* take(size_t bytes, size_t slot) {
  void* memory = nullptr;
  opaque(bytes);
  if constexpr (WithoutAllocator<A>)
    memory = A::place(slot);
  else
    memory = A::allocate(bytes);
  opaque(memory);
  return static_cast<std::byte*>(memory);
}

template <class A>
inline void give(void* memory, size_t bytes) {
  opaque(bytes);
  opaque(memory);
  if constexpr (!WithoutAllocator<A>) A::deallocate(memory, bytes);
}

template <class A, size_t Bytes>
inline std::byte* take_fixed() {
  void* memory = nullptr;
  if constexpr (WithoutAllocator<A>)
    memory = A::place(0);
  else
    memory = A::template allocate_fixed<Bytes>();
  opaque(memory);
  return static_cast<std::byte*>(memory);
}

template <class A, size_t Bytes>
inline void give_fixed(void* memory) {
  opaque(memory);
  if constexpr (!WithoutAllocator<A>) A::template deallocate_fixed<Bytes>(memory);
}

// Nanoseconds that this thread was ready to run and another program had its core, by the kernel's
// count; 0 where the kernel does not count.
inline int64_t waited_for_core_ns() {
  char text[96] = {};
  const int file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  long long ran = 0, waited = 0;
  return length > 0 && std::sscanf(text, "%lld %lld", &ran, &waited) == 2 ? waited : 0;
}

// Iterates until the time is over; nanoseconds per operation. Of a thread that works alone it is
// the mean, without the time in which it waited for a core, which is no allocator's (waiting for a
// lock is). Of threads that wait for each other it is the median iteration.
template <class Work>
double timed(Work& work, int64_t run_ns, bool& ok) {
  std::vector<int64_t> each;
  each.reserve(1 << 16);
  const int64_t waited = waited_for_core_ns();
  const int64_t start = now_ns();
  int64_t end = start;
  do {
    const int64_t began = end;
    ok &= work.iterate();
    end = now_ns();
    each.push_back(end - began);
  } while (end - start < run_ns);
  if constexpr (Work::kAlone) {
    const auto ran = static_cast<double>(end - start - (waited_for_core_ns() - waited));
    return ran / static_cast<double>(each.size() * Work::kOps);
  }
  const auto middle = each.begin() + static_cast<std::ptrdiff_t>(each.size() / 2);
  std::nth_element(each.begin(), middle, each.end());
  return static_cast<double>(*middle) / static_cast<double>(Work::kOps);
}

struct Measured {
  std::vector<double> values;
  bool ok = true;
};

// One thread's part. `Work` is made and ended on the thread: its iterate() does kOps operations,
// its finish() gives everything back; both say whether all blocks were as they should be.
template <class A, class Work>
void measure_thread(const Config& config, std::barrier<>& together, Measured& measured) {
  [[maybe_unused]] const typename A::Thread thread;
  const int64_t run_ns = static_cast<int64_t>(config.ms * 1e6);
  const auto work = std::make_unique<Work>();
  timed(*work, run_ns / 3, measured.ok);  // warm-up
  for (int run = 0; run < config.runs; ++run) {
    together.arrive_and_wait();
    measured.values.push_back(timed(*work, run_ns, measured.ok));
  }
  measured.ok &= work->finish();
}

// Emits the mean over the threads. With one thread the process has no other: the C library takes
// no lock then.
template <class A, class Work>
void measure_threads(const Config& config) {
  const unsigned count = Work::kAlone ? config.workers : 1;  // others bring their second thread
  std::barrier together(static_cast<std::ptrdiff_t>(count));
  std::vector<Measured> all(count);
  for (auto& measured : all) measured.values.reserve(static_cast<size_t>(config.runs));
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < count; ++i)
      threads.emplace_back([&, i] { measure_thread<A, Work>(config, together, all[i]); });
    measure_thread<A, Work>(config, together, all[0]);
  }
  for (size_t run = 0; run < static_cast<size_t>(config.runs); ++run) {
    double sum = 0;
    bool ok = true;
    for (const auto& measured : all) {
      sum += measured.values[run];
      ok &= measured.ok;
    }
    emit(config, "", sum / count, "ns", ok);
  }
}

}  // namespace bench::mem
