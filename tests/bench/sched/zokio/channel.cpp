// SPDX-License-Identifier: Apache-2.0
//
// Channels: a million messages through 1,024 places, from one task or four to one.

#include <zokio/sync/mpsc.h>

#include "bench.h"

namespace bench {
namespace {

using zokio::Task;
using zokio::sync::MpscReceiver;
using zokio::sync::MpscSender;

constexpr uint64_t kMessages = 1'000'000;
constexpr std::size_t kCapacity = 1'024;

Task<void> produce(MpscSender<uint64_t> sender, uint64_t first, uint64_t count) {
  for (uint64_t i = first; i < first + count; ++i) {
    const auto sent = co_await sender.send(i);
    if (!sent) co_return;
  }
}

Task<uint64_t> consume(uint64_t producers) {
  auto [sender, receiver] = zokio::sync::mpsc<uint64_t>(kCapacity);
  const uint64_t share = kMessages / producers;
  for (uint64_t p = 0; p < producers; ++p)
    zokio::spawn(&produce, sender, p * share, share).detach();
  sender = {};
  uint64_t sum = 0;
  while (true) {
    const auto message = co_await receiver.recv();
    if (!message) co_return sum;
    sum += *message;
  }
}

void channel(const Config& config, uint64_t producers) {
  auto runtime = start(config);
  measure(config, kMessages, [&] {
    return runtime->block_on(&consume, producers).value_or(0) == sum_below(kMessages);
  });
}

void channel_1p1c(const Config& config) {
  channel(config, 1);
}
void channel_4p1c(const Config& config) {
  channel(config, 4);
}

constexpr Workload kWorkloads[] = {{"channel_1p1c", &channel_1p1c},
                                   {"channel_4p1c", &channel_4p1c}};

}  // namespace

std::span<const Workload> channel_workloads() {
  return kWorkloads;
}

}  // namespace bench
