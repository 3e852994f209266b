// SPDX-License-Identifier: Apache-2.0
// The program of `./dev bench fiber`:   fiber_bench zokio|boost <workload>
//   ready    await of something that is there already (zokio)
//   switch   leave the fiber and come back
//   create   a fiber from the pool that runs a small function and ends
//   parked   resident bytes for each of 10,000 fibers that wait
// Boost.Context's fibers are the bare mechanism: no task, no scheduler, no cancellation.
// Prints one JSON object; ends with 1 when the work does not add up.

#include <unistd.h>

#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#include <chrono>
#include <cstdio>
#include <string_view>
#include <vector>

#include "zokio/fiber.h"
#include "zokio/sync/event.h"
#include "zokio/zokio.h"

namespace {

using Clock = std::chrono::steady_clock;
namespace boost_context = boost::context;

constexpr int kTurns = 1'000'000;
constexpr int kWarmUp = 100'000;
constexpr int kParked = 10'000;
constexpr std::size_t kStackBytes = 64 * 1024;

double each(Clock::time_point since, int turns) {
  return std::chrono::duration<double, std::nano>(Clock::now() - since).count() / turns;
}

int64_t resident_bytes() {
  long total = 0, resident = 0;
  if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &total, &resident) != 2) resident = 0;
    std::fclose(f);
  }
  return int64_t{resident} * sysconf(_SC_PAGESIZE);
}

struct Measured {
  double value = 0;
  long sum = 0;
  long wanted = 0;
};

// --- zokio ------------------------------------------------------------------------------------

// Not ready, and resumed at once: the fiber is left and entered again, and nothing else happens.
template <bool ready>
struct Immediate {
  bool await_ready() const noexcept { return ready; }
  bool await_suspend(std::coroutine_handle<>) const noexcept { return false; }
  int await_resume() const noexcept { return 1; }
};

template <bool ready>
zokio::Task<Measured> zokio_awaits() {
  auto done = co_await zokio::fiber([] {
    Measured m{.wanted = kTurns + kWarmUp};
    for (int i = 0; i < kWarmUp; ++i) m.sum += zokio::fiber_await(Immediate<ready>());
    const auto start = Clock::now();
    for (int i = 0; i < kTurns; ++i) m.sum += zokio::fiber_await(Immediate<ready>());
    m.value = each(start, kTurns);
    return m;
  });
  co_return *done;
}

zokio::Task<Measured> zokio_create() {
  Measured m{.wanted = kTurns + kWarmUp};
  auto start = Clock::now();
  for (int i = -kWarmUp; i < kTurns; ++i) {
    if (i == 0) start = Clock::now();
    auto one = co_await zokio::fiber([] { return 1; });
    m.sum += *one;
  }
  m.value = each(start, kTurns);
  co_return m;
}

zokio::Task<zokio::Result<int>> wait_on_fiber(zokio::sync::Event* go, int* waiting) {
  co_return co_await zokio::fiber([=] {
    ++*waiting;
    return zokio::fiber_await(go->wait()).has_value() ? 1 : 0;
  });
}

zokio::Task<Measured> zokio_parked() {
  Measured m{.wanted = kParked};
  zokio::sync::Event go;
  int waiting = 0;  // one worker: no two tasks at a time
  std::vector<zokio::JoinHandle<zokio::Result<int>>> all;
  all.reserve(kParked);
  const int64_t before = resident_bytes();
  for (int i = 0; i < kParked; ++i) all.push_back(zokio::spawn(wait_on_fiber, &go, &waiting));
  while (waiting < kParked) co_await zokio::yield_now();
  m.value = static_cast<double>(resident_bytes() - before) / kParked;
  go.set();
  for (auto& handle : all) {
    auto one = co_await handle;
    m.sum += *one;
  }
  co_return m;
}

// --- Boost.Context ----------------------------------------------------------------------------

Measured boost_switch() {
  Measured m{.wanted = kTurns + kWarmUp};
  boost_context::fiber inside([&m](boost_context::fiber&& outside) {
    while (true) {
      ++m.sum;
      outside = std::move(outside).resume();
      if (m.sum == m.wanted) return std::move(outside);
    }
  });
  for (int i = 0; i < kWarmUp; ++i) inside = std::move(inside).resume();
  const auto start = Clock::now();
  for (int i = 0; i < kTurns; ++i) inside = std::move(inside).resume();
  m.value = each(start, kTurns);
  return m;
}

Measured boost_create() {
  Measured m{.wanted = kTurns + kWarmUp};
  boost_context::pooled_fixedsize_stack stacks(kStackBytes);
  auto start = Clock::now();
  for (int i = -kWarmUp; i < kTurns; ++i) {
    if (i == 0) start = Clock::now();
    boost_context::fiber one(std::allocator_arg, stacks, [&m](boost_context::fiber&& outside) {
      ++m.sum;
      return std::move(outside);
    });
    one = std::move(one).resume();
  }
  m.value = each(start, kTurns);
  return m;
}

Measured boost_parked() {
  Measured m{.wanted = kParked};
  boost_context::pooled_fixedsize_stack stacks(kStackBytes);
  std::vector<boost_context::fiber> all;
  all.reserve(kParked);
  const int64_t before = resident_bytes();
  for (int i = 0; i < kParked; ++i) {
    boost_context::fiber one(std::allocator_arg, stacks, [&m](boost_context::fiber&& outside) {
      outside = std::move(outside).resume();
      ++m.sum;
      return std::move(outside);
    });
    all.push_back(std::move(one).resume());
  }
  m.value = static_cast<double>(resident_bytes() - before) / kParked;
  for (auto& one : all) one = std::move(one).resume();
  return m;
}

// ----------------------------------------------------------------------------------------------

Measured measure_zokio(std::string_view workload) {
  zokio::RuntimeOptions options;
  options.workers = 1;
  options.reactors = 1;
  auto runtime = zokio::Runtime::create(options);
  if (!runtime.has_value()) return {.wanted = 1};
  zokio::Result<Measured> m;
  if (workload == "ready") m = (*runtime)->block_on(zokio_awaits<true>);
  if (workload == "switch") m = (*runtime)->block_on(zokio_awaits<false>);
  if (workload == "create") m = (*runtime)->block_on(zokio_create);
  if (workload == "parked") m = (*runtime)->block_on(zokio_parked);
  return *m;
}

Measured measure_boost(std::string_view workload) {
  if (workload == "switch") return boost_switch();
  if (workload == "create") return boost_create();
  if (workload == "parked") return boost_parked();
  return {.wanted = 1};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string_view impl = argv[1];
  const Measured m = impl == "zokio" ? measure_zokio(argv[2]) : measure_boost(argv[2]);
  const bool ok = m.sum == m.wanted;
  std::printf("{\"value\": %.2f, \"checksum_ok\": %s}\n", m.value, ok ? "true" : "false");
  return ok ? 0 : 1;
}
