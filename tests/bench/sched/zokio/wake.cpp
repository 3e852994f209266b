// SPDX-License-Identifier: Apache-2.0
//
// From a wake-up to the task that runs: percentiles, and what the process costs while it is idle.

#include <zokio/sync/oneshot.h>

#include "bench.h"

namespace bench {
namespace {

using zokio::Task;
using zokio::sync::OneshotReceiver;

// The wake-ups of a run. The outside thread gives them out at times that do not depend on how long
// the one before took, so a slow one is not left out of the figures.
struct Wakes {
  Tally tally;
  std::vector<int64_t> latency;
};

Task<void> waiter(Wakes* wakes, uint64_t i, OneshotReceiver<int64_t> receiver) {
  const int64_t sent = (co_await receiver.recv()).value_or(0);
  wakes->latency[i] = now_ns() - sent;
  wakes->tally.add(i);
}

std::vector<zokio::sync::OneshotSender<int64_t>> park_waiters(zokio::Runtime& runtime, Wakes& wakes,
                                                              uint64_t events) {
  wakes.tally.expect(events);
  wakes.latency.resize(events);
  std::vector<zokio::sync::OneshotSender<int64_t>> senders;
  for (uint64_t i = 0; i < events; ++i) {
    auto [sender, receiver] = zokio::sync::oneshot<int64_t>();
    senders.push_back(std::move(sender));
    runtime.spawn(&waiter, &wakes, i, std::move(receiver)).detach();
  }
  return senders;
}

void wake(const Config& config) {
  auto runtime = start(config);
  for (int run = 0; run < config.runs; ++run) {
    Wakes wakes;
    const uint64_t events = wake_events(config);
    auto senders = park_waiters(*runtime, wakes, events);
    run_wakes(events, [&](uint64_t i, int64_t now) { senders[i].send(now); });
    wakes.tally.wait();
    report_wakes(config, wakes.latency, wakes.tally.is(sum_below(events)));
  }
}

// The same from a task that goes on computing, so that another worker has to take what it woke.
Task<void> wake_and_compute(std::vector<zokio::sync::OneshotSender<int64_t>> senders) {
  for (auto& sender : senders) {
    co_await zokio::sleep(std::chrono::milliseconds(1));
    const int64_t now = now_ns();
    sender.send(now);
    while (now_ns() < now + kComputeNs) {
    }
  }
}

void wake_busy(const Config& config) {
  auto runtime = start(config);
  for (int run = 0; run < config.runs; ++run) {
    Wakes wakes;
    auto senders = park_waiters(*runtime, wakes, kBusyWakes);
    runtime->spawn(&wake_and_compute, std::move(senders)).detach();
    wakes.tally.wait();
    report_wakes(config, wakes.latency, wakes.tally.is(sum_below(kBusyWakes)));
  }
}

Task<uint64_t> one() {
  co_return 1;
}

void idle_cpu(const Config& config) {
  auto runtime = start(config);
  measure_idle(config, [&] { return runtime->block_on(&one).value_or(0) == 1; });
}

constexpr Workload kWorkloads[] = {
    {"wake", &wake}, {"wake_busy", &wake_busy}, {"idle_cpu", &idle_cpu}};

}  // namespace

std::span<const Workload> wake_workloads() {
  return kWorkloads;
}

}  // namespace bench
