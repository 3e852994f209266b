// SPDX-License-Identifier: Apache-2.0
//
// Taking turns: yields, and pairs of tasks that wake each other.

#include <zokio/sync/oneshot.h>

#include "bench.h"

namespace bench {
namespace {

using zokio::Task;
using zokio::sync::OneshotReceiver;
using zokio::sync::OneshotSender;

constexpr uint64_t kTasks = 200;
constexpr uint64_t kYields = 1'000;
constexpr uint64_t kYieldsAlone = 10'000;
constexpr uint64_t kPairs = 10'000;

Task<void> yielder(Tally* tally, uint64_t i) {
  uint64_t turns = 0;
  for (uint64_t n = 0; n < kYields; ++n) {
    co_await zokio::yield_now();
    ++turns;
  }
  tally->add(i * turns);
}

void yield_many(const Config& config) {
  auto runtime = start(config);
  Tally tally;
  measure(config, kTasks * kYields, [&] {
    tally.expect(kTasks);
    for (uint64_t i = 0; i < kTasks; ++i) runtime->spawn(&yielder, &tally, i).detach();
    tally.wait();
    return tally.is(sum_below(kTasks) * kYields);
  });
}

Task<uint64_t> yield_alone() {
  uint64_t sum = 0;
  for (uint64_t n = 0; n < kYieldsAlone; ++n) {
    co_await zokio::yield_now();
    sum += n;
  }
  co_return sum;
}

void yield_one(const Config& config) {
  auto runtime = start(config);
  measure(config, kYieldsAlone,
          [&] { return runtime->block_on(&yield_alone).value_or(0) == sum_below(kYieldsAlone); });
}

Task<void> pong(OneshotReceiver<uint64_t> ping, OneshotSender<uint64_t> answer) {
  answer.send((co_await ping.recv()).value_or(0));
}

Task<void> pair(Tally* tally, uint64_t i) {
  auto [ping_tx, ping_rx] = zokio::sync::oneshot<uint64_t>();
  auto [pong_tx, pong_rx] = zokio::sync::oneshot<uint64_t>();
  zokio::spawn(&pong, std::move(ping_rx), std::move(pong_tx)).detach();
  ping_tx.send(i);
  tally->add((co_await pong_rx.recv()).value_or(0));
}

Task<void> spawn_pairs(Tally* tally) {
  for (uint64_t i = 0; i < kPairs; ++i) zokio::spawn(&pair, tally, i).detach();
  co_return;
}

void ping_pong(const Config& config) {
  auto runtime = start(config);
  Tally tally;
  measure(config, kPairs, [&] {
    tally.expect(kPairs);
    runtime->spawn(&spawn_pairs, &tally).detach();
    tally.wait();
    return tally.is(sum_below(kPairs));
  });
}

constexpr Workload kWorkloads[] = {
    {"yield_many", &yield_many}, {"yield_one", &yield_one}, {"ping_pong", &ping_pong}};

}  // namespace

std::span<const Workload> turn_workloads() {
  return kWorkloads;
}

}  // namespace bench
