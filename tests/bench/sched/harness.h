// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the C++ programs of `./dev bench sched` share: arguments, timing, output, and the tally that
// every workload folds its side effects into. tokio/src/harness.rs is the same in Rust; a change
// here is a change there, or the figures are not comparable. `./dev bench mem` uses it too, without
// the tally; its workers are threads.
//
//   <program> <workload> <workers> [--runs N] [--ms M]
//
// prints one JSON object for each run and measurement. The program ends with 1 when a checksum
// differs from the value computed independently, with 3 when it does not know the workload.
// Thread: the main thread is the outside thread of every workload; it waits on a Latch.

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

namespace bench {

struct Config {
  std::string_view workload;
  unsigned workers = 1;
  int runs = 1;
  double ms = 150;  // length of one run, at least one iteration; a third of it is warm-up
};

struct Workload {
  std::string_view name;
  void (*run)(const Config&);
};

inline bool& all_ok() {
  static bool ok = true;
  return ok;
}

inline int64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

// CPU time of the whole process, all threads.
inline int64_t cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

inline int64_t rss_bytes() {
  long total = 0, resident = 0;
  if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &total, &resident) != 2) resident = 0;
    std::fclose(f);
  }
  return resident * sysconf(_SC_PAGESIZE);
}

inline void sleep_outside(int64_t ns) {
  timespec t{ns / 1'000'000'000, ns % 1'000'000'000};
  nanosleep(&t, nullptr);
}

// Keeps `value` from being computed at compile time or dropped.
template <class T>
inline void opaque(T& value) {
  asm volatile("" : "+r"(value) : : "memory");
}

// The generator of every program here, so that all peers sleep the same times.
struct SplitMix {
  uint64_t state;
  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
};

// How the outside thread waits, in every program: a mutex and a condition variable.
class Latch {
 public:
  void set() {
    std::scoped_lock lock(mutex_);
    set_ = true;
    changed_.notify_one();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return set_; });
    set_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

// Side effects of tasks and their number in one word, so that one locked add does both. Values of
// all tasks together stay below 2^40, tasks below 2^24.
class Tally {
 public:
  static constexpr uint64_t kOne = uint64_t{1} << 40;

  void expect(uint64_t tasks) {
    word_.store(0, std::memory_order_relaxed);
    tasks_ = tasks;
  }
  // The last of the expected tasks sets the latch.
  void add(uint64_t value) {
    const uint64_t before = word_.fetch_add(kOne + value, std::memory_order_acq_rel);
    if ((before >> 40) + 1 == tasks_) done_.set();
  }
  void wait() { done_.wait(); }
  bool is(uint64_t sum) const {
    return word_.load(std::memory_order_acquire) == tasks_ * kOne + sum;
  }
  uint64_t count() const { return word_.load(std::memory_order_acquire) >> 40; }

 private:
  alignas(64) std::atomic<uint64_t> word_{0};
  uint64_t tasks_ = 0;
  Latch done_;
};

// 0 + 1 + ... + (n - 1), what tasks numbered 0 to n - 1 add up to.
constexpr uint64_t sum_below(uint64_t n) {
  return n * (n - 1) / 2;
}

inline void emit(const Config& config, const char* suffix, double value, const char* unit,
                 bool checksum_ok) {
  if (!checksum_ok) all_ok() = false;
  std::printf(
      "{\"workload\":\"%.*s%s\",\"workers\":%u,\"value\":%.3f,\"unit\":\"%s\",\"checksum_ok\":%s}"
      "\n",
      static_cast<int>(config.workload.size()), config.workload.data(), suffix, config.workers,
      value, unit, checksum_ok ? "true" : "false");
  std::fflush(stdout);
}

// Times `iteration`, which does `ops` operations and says whether its checksum was right.
// A run is as many iterations as fit into the configured time, and its value their mean.
template <class F>
void measure(const Config& config, uint64_t ops, F iteration) {
  bool ok = true;
  const int64_t run_ns = static_cast<int64_t>(config.ms * 1e6);
  const int64_t warm = now_ns();
  do ok &= iteration();
  while (now_ns() - warm < run_ns / 3);
  for (int run = 0; run < config.runs; ++run) {
    uint64_t iterations = 0;
    const int64_t start = now_ns();
    int64_t end = start;
    do {
      ok &= iteration();
      ++iterations;
      end = now_ns();
    } while (end - start < run_ns);
    emit(config, "", static_cast<double>(end - start) / static_cast<double>(iterations * ops), "ns",
         ok);
  }
}

// The same for a problem that takes long enough to be a run by itself: solved once, without
// warm-up.
template <class F>
void measure_whole(const Config& config, F solve) {
  for (int run = 0; run < config.runs; ++run) {
    const int64_t start = now_ns();
    const bool ok = solve();
    emit(config, "", static_cast<double>(now_ns() - start), "ns", ok);
  }
}

// The floor: a loop that does nothing but the arithmetic of a side effect. What is within twice of
// it has not been measured.
inline void control(const Config& config) {
  constexpr uint64_t kLoops = 1'000'000;
  measure(config, kLoops, [] {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < kLoops; ++i) {
      sum += i;
      opaque(sum);
    }
    return sum == sum_below(kLoops);
  });
}

// wake_busy: how many, and how long the task that wakes goes on computing.
inline constexpr uint64_t kBusyWakes = 200;
inline constexpr int64_t kComputeNs = 100'000;

// Wake-ups come at random gaps of 50 to 950 us, whatever the one before took.
inline uint64_t wake_events(const Config& config) {
  return std::max<uint64_t>(100, static_cast<uint64_t>(config.ms * 4));
}

template <class F>
void run_wakes(uint64_t events, F wake) {
  SplitMix random{7};
  sleep_outside(5'000'000);  // until every task waits and every worker sleeps
  int64_t due = now_ns();
  for (uint64_t i = 0; i < events; ++i) {
    due += 50'000 + static_cast<int64_t>(random.next() % 900'000);
    for (int64_t now = now_ns(); now < due; now = now_ns())
      if (due - now > 100'000) sleep_outside(due - now - 80'000);
    wake(i, now_ns());
  }
}

inline void report_wakes(const Config& config, std::vector<int64_t>& latency, bool ok) {
  std::sort(latency.begin(), latency.end());
  const auto at = [&](double part) {
    return static_cast<double>(
        latency[static_cast<size_t>(part * static_cast<double>(latency.size() - 1))]);
  };
  emit(config, "_p50", at(0.5), "ns", ok);
  emit(config, "_p99", at(0.99), "ns", ok);
  emit(config, "_p999", at(0.999), "ns", ok);
}

// CPU nanoseconds that the process uses in a second in which nothing happens.
template <class F>
void measure_idle(const Config& config, F warm_up) {
  const bool ok = warm_up();
  for (int run = 0; run < config.runs; ++run) {
    sleep_outside(50'000'000);
    const int64_t cpu = cpu_ns(), wall = now_ns();
    sleep_outside(static_cast<int64_t>(std::max(config.ms * 2, 200.0) * 1e6));
    emit(config, "",
         static_cast<double>(cpu_ns() - cpu) * 1e9 / static_cast<double>(now_ns() - wall), "ns",
         ok);
  }
}

inline int main_of(int argc, char** argv, std::span<const Workload> workloads) {
  Config config;
  if (argc == 2 && std::string_view(argv[1]) == "list") {
    for (const auto& w : workloads)
      std::printf("%.*s\n", static_cast<int>(w.name.size()), w.name.data());
    return 0;
  }
  if (argc < 3) {
    std::fprintf(stderr, "usage: %s <workload> <workers> [--runs N] [--ms M] | list\n", argv[0]);
    return 2;
  }
  config.workload = argv[1];
  config.workers = static_cast<unsigned>(std::atoi(argv[2]));
  for (int i = 3; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--runs") == 0) config.runs = std::atoi(argv[i + 1]);
    if (std::strcmp(argv[i], "--ms") == 0) config.ms = std::atof(argv[i + 1]);
  }
  for (const auto& w : workloads) {
    if (w.name != config.workload) continue;
    w.run(config);
    if (!all_ok()) std::fprintf(stderr, "%s: a checksum differs\n", argv[1]);
    return all_ok() ? 0 : 1;
  }
  std::fprintf(stderr, "%s: no such workload here\n", argv[1]);
  return 3;
}

}  // namespace bench
