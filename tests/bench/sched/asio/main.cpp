// SPDX-License-Identifier: Apache-2.0
//
// Asio: a thread_pool, C++20 coroutines, and plain handlers where those are its cheapest task.

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/concurrent_channel.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include "../harness.h"

namespace {

using asio::awaitable;
using asio::use_awaitable;
using bench::Config;
using bench::measure;
using bench::now_ns;
using bench::sum_below;
using bench::Tally;

constexpr uint64_t kTasks = 10'000;
constexpr uint64_t kYielders = 200;
constexpr uint64_t kYields = 1'000;
constexpr uint64_t kCalls = 100'000;
constexpr uint64_t kMessages = 1'000'000;
constexpr uint64_t kTimers = 1'000'000;
constexpr uint64_t kTimeouts = 1'000;

// Runs a coroutine on the pool and waits for it outside.
template <class T>
T block_on(asio::thread_pool& pool, awaitable<T> work) {
  return asio::co_spawn(pool, std::move(work), asio::use_future).get();
}

void spawn_many_local(const Config& config) {
  asio::thread_pool pool(config.workers);
  Tally tally;
  measure(config, kTasks, [&] {
    tally.expect(kTasks);
    for (uint64_t i = 0; i < kTasks; ++i) asio::post(pool, [&tally, i] { tally.add(i); });
    tally.wait();
    return tally.is(sum_below(kTasks));
  });
}

void spawn_many_worker(const Config& config) {
  asio::thread_pool pool(config.workers);
  Tally tally;
  measure(config, kTasks, [&] {
    tally.expect(kTasks);
    asio::post(pool, [&pool, &tally] {
      for (uint64_t i = 0; i < kTasks; ++i) asio::post(pool, [&tally, i] { tally.add(i); });
    });
    tally.wait();
    return tally.is(sum_below(kTasks));
  });
}

awaitable<uint64_t> number(uint64_t i) {
  co_return i;
}

awaitable<uint64_t> spawn_and_await_each(asio::thread_pool* pool) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < kTasks; ++i)
    sum += co_await asio::co_spawn(*pool, number(i), use_awaitable);
  co_return sum;
}

void spawn_await_seq(const Config& config) {
  asio::thread_pool pool(config.workers);
  measure(config, kTasks,
          [&] { return block_on(pool, spawn_and_await_each(&pool)) == sum_below(kTasks); });
}

void remote_roundtrip(const Config& config) {
  asio::thread_pool pool(config.workers);
  Tally tally;
  measure(config, 1, [&, i = uint64_t{0}]() mutable {
    tally.expect(1);
    asio::post(pool, [&tally, value = ++i] { tally.add(value); });
    tally.wait();
    return tally.is(i);
  });
}

awaitable<uint64_t> call_leaves() {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < kCalls; ++i) {
    sum += co_await number(i);
    bench::opaque(sum);
  }
  co_return sum;
}

void call_await(const Config& config) {
  asio::thread_pool pool(config.workers);
  measure(config, kCalls, [&] { return block_on(pool, call_leaves()) == sum_below(kCalls); });
}

awaitable<uint64_t> yields(asio::thread_pool* pool, uint64_t times) {
  uint64_t sum = 0;
  for (uint64_t n = 0; n < times; ++n) {
    co_await asio::post(*pool, use_awaitable);
    sum += n;
  }
  co_return sum;
}

awaitable<void> yielder(asio::thread_pool* pool, Tally* tally, uint64_t i) {
  const uint64_t sum = co_await yields(pool, kYields);
  tally->add(sum == sum_below(kYields) ? i : 0);
}

void yield_many(const Config& config) {
  asio::thread_pool pool(config.workers);
  Tally tally;
  measure(config, kYielders * kYields, [&] {
    tally.expect(kYielders);
    for (uint64_t i = 0; i < kYielders; ++i)
      asio::co_spawn(pool, yielder(&pool, &tally, i), asio::detached);
    tally.wait();
    return tally.is(sum_below(kYielders));
  });
}

void yield_one(const Config& config) {
  asio::thread_pool pool(config.workers);
  measure(config, kTasks,
          [&] { return block_on(pool, yields(&pool, kTasks)) == sum_below(kTasks); });
}

using Channel = asio::experimental::concurrent_channel<void(asio::error_code, uint64_t)>;

awaitable<void> produce(Channel* channel, uint64_t first, uint64_t count) {
  for (uint64_t i = first; i < first + count; ++i)
    co_await channel->async_send(asio::error_code(), i, use_awaitable);
}

awaitable<uint64_t> consume(Channel* channel) {
  uint64_t sum = 0;
  for (uint64_t n = 0; n < kMessages; ++n) sum += co_await channel->async_receive(use_awaitable);
  co_return sum;
}

void channel(const Config& config, uint64_t producers) {
  asio::thread_pool pool(config.workers);
  measure(config, kMessages, [&] {
    Channel channel(pool, 1024);
    const uint64_t share = kMessages / producers;
    for (uint64_t p = 0; p < producers; ++p)
      asio::co_spawn(pool, produce(&channel, p * share, share), asio::detached);
    return block_on(pool, consume(&channel)) == sum_below(kMessages);
  });
}

void channel_1p1c(const Config& config) {
  channel(config, 1);
}
void channel_4p1c(const Config& config) {
  channel(config, 4);
}

struct Timers {
  Tally tally;
  std::atomic<int64_t> latest{0};
};

awaitable<void> sleeper(asio::thread_pool* pool, Timers* timers, uint64_t i, int64_t ms) {
  asio::steady_timer timer(*pool, std::chrono::milliseconds(ms));
  const auto due = timer.expiry();
  co_await timer.async_wait(use_awaitable);
  const int64_t late = (std::chrono::steady_clock::now() - due).count();
  int64_t seen = timers->latest.load(std::memory_order_relaxed);
  while (late > seen && !timers->latest.compare_exchange_weak(seen, late)) {
  }
  timers->tally.add(late >= 0 ? i & 0xfff : 0);
}

void timers(const Config& config) {
  asio::thread_pool pool(config.workers);
  uint64_t expected = 0;
  for (uint64_t i = 0; i < kTimers; ++i) expected += i & 0xfff;
  for (int run = 0; run < config.runs; ++run) {
    Timers timers;
    const int64_t cpu = bench::cpu_ns();
    timers.tally.expect(kTimers);
    asio::post(pool, [&] {
      bench::SplitMix random{1};
      for (uint64_t i = 0; i < kTimers; ++i) {
        const auto ms = static_cast<int64_t>(1 + random.next() % 1000);
        asio::co_spawn(pool, sleeper(&pool, &timers, i, ms), asio::detached);
      }
    });
    timers.tally.wait();
    const bool ok = timers.tally.is(expected);
    emit(config, "", static_cast<double>(bench::cpu_ns() - cpu) / kTimers, "ns", ok);
    emit(config, "_late", static_cast<double>(timers.latest.load()), "ns", ok);
  }
}

// Timeouts that struck. Not in the frame: a cancelled wait may run its handler on another thread
// when the frame has gone on.
std::atomic<uint64_t> strikes{0};

// Asio 1.22 has no timeout of its own for a coroutine: the timer that a user arms and cancels.
awaitable<uint64_t> timeouts(asio::thread_pool* pool) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < kTimeouts; ++i) {
    asio::steady_timer timer(*pool, std::chrono::seconds(1));
    timer.async_wait([](asio::error_code e) { strikes += !e; });
    co_await asio::post(*pool, use_awaitable);
    timer.cancel();
    sum += i;
  }
  co_return sum;
}

void timeout_cancel(const Config& config) {
  asio::thread_pool pool(config.workers);
  measure(config, kTimeouts,
          [&] { return block_on(pool, timeouts(&pool)) == sum_below(kTimeouts) && strikes == 0; });
}

constexpr bench::Workload kWorkloads[] = {{"control", &bench::control},
                                          {"spawn_many_local", &spawn_many_local},
                                          {"spawn_many_worker", &spawn_many_worker},
                                          {"spawn_await_seq", &spawn_await_seq},
                                          {"remote_roundtrip", &remote_roundtrip},
                                          {"call_await", &call_await},
                                          {"yield_many", &yield_many},
                                          {"yield_one", &yield_one},
                                          {"channel_1p1c", &channel_1p1c},
                                          {"channel_4p1c", &channel_4p1c},
                                          {"timers", &timers},
                                          {"timeout_cancel", &timeout_cancel}};

}  // namespace

int main(int argc, char** argv) {
  return bench::main_of(argc, argv, kWorkloads);
}
