// SPDX-License-Identifier: Apache-2.0
//
// Memory: a million tasks that wait, in bytes of resident memory for each.

#include <zokio/sync/notify.h>
#include <zokio/sync/oneshot.h>

#include "bench.h"

namespace bench {
namespace {

using zokio::Task;
using zokio::sync::Notify;
using zokio::sync::OneshotReceiver;
using zokio::sync::OneshotSender;

constexpr uint64_t kTasks = 1'000'000;

struct Park {
  std::atomic<uint64_t> arrived{0};
  Tally tally;
  Notify notify;
};

// Runs `fill`, waits until every task has arrived at its wait, and takes the difference.
template <class Fill>
int64_t growth(zokio::Runtime& runtime, Park& park, Fill fill) {
  const int64_t before = rss_bytes();
  runtime.block_on(fill);
  while (park.arrived.load() < kTasks) sleep_outside(1'000'000);
  sleep_outside(20'000'000);  // the last one is on its way into the wait
  return rss_bytes() - before;
}

void report(const Config& config, int64_t bytes, bool ok) {
  emit(config, "", static_cast<double>(bytes) / kTasks, "bytes", ok);
}

Task<void> on_oneshot(Park* park, OneshotReceiver<uint64_t> receiver) {
  park->arrived.fetch_add(1);
  park->tally.add((co_await receiver.recv()).value_or(0) & 0xfff);
}

Task<void> fill_oneshot(Park* park, std::vector<OneshotSender<uint64_t>>* senders) {
  for (uint64_t i = 0; i < kTasks; ++i) {
    auto [sender, receiver] = zokio::sync::oneshot<uint64_t>();
    (*senders)[i] = std::move(sender);
    zokio::spawn(&on_oneshot, park, std::move(receiver)).detach();
  }
  co_return;
}

uint64_t expected_sum() {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < kTasks; ++i) sum += i & 0xfff;
  return sum;
}

// The senders' own memory is there before, and is not the tasks'.
void parked_oneshot(const Config& config) {
  auto runtime = start(config);
  Park park;
  park.tally.expect(kTasks);
  std::vector<OneshotSender<uint64_t>> senders(kTasks);
  const int64_t bytes = growth(*runtime, park, [&]() { return fill_oneshot(&park, &senders); });
  for (uint64_t i = 0; i < kTasks; ++i) senders[i].send(i);
  park.tally.wait();
  report(config, bytes, park.tally.is(expected_sum()));
}

Task<void> on_notify(Park* park, uint64_t i) {
  park->arrived.fetch_add(1);
  const auto woken = co_await park->notify.wait();
  park->tally.add(woken ? i & 0xfff : 0);
}

Task<void> fill_notify(Park* park) {
  for (uint64_t i = 0; i < kTasks; ++i) zokio::spawn(&on_notify, park, i).detach();
  co_return;
}

void parked_notify(const Config& config) {
  auto runtime = start(config);
  Park park;
  park.tally.expect(kTasks);
  const int64_t bytes = growth(*runtime, park, [&]() { return fill_notify(&park); });
  park.notify.notify_all();
  park.tally.wait();
  report(config, bytes, park.tally.is(expected_sum()));
}

Task<void> on_sleep(Park* park, uint64_t i) {
  park->arrived.fetch_add(1);
  const auto slept = co_await zokio::sleep(std::chrono::hours(1));
  // The runtime cancels it at the end.
  park->tally.add(slept ? 0 : i & 0xfff);
}

Task<void> fill_sleep(Park* park) {
  for (uint64_t i = 0; i < kTasks; ++i) zokio::spawn(&on_sleep, park, i).detach();
  co_return;
}

void parked_sleep(const Config& config) {
  auto runtime = start(config);
  Park park;
  park.tally.expect(kTasks);
  const int64_t bytes = growth(*runtime, park, [&]() { return fill_sleep(&park); });
  runtime->shutdown(std::chrono::seconds(60));
  park.tally.wait();
  report(config, bytes, park.tally.is(expected_sum()));
}

constexpr Workload kWorkloads[] = {{"parked_oneshot", &parked_oneshot},
                                   {"parked_notify", &parked_notify},
                                   {"parked_sleep", &parked_sleep}};

}  // namespace

std::span<const Workload> parked_workloads() {
  return kWorkloads;
}

}  // namespace bench
