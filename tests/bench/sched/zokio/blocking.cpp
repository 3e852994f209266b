// SPDX-License-Identifier: Apache-2.0
//
// The blocking pool: round trips one after the other, and ten thousand at once.

#include "bench.h"

namespace bench {
namespace {

using zokio::JoinHandle;
using zokio::Task;

constexpr uint64_t kSequential = 100;
constexpr uint64_t kMany = 10'000;

uint64_t same(uint64_t i) {
  return i;
}

Task<uint64_t> offload_in_turn() {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < kSequential; ++i)
    sum += (co_await zokio::blocking([i] { return i; })).value_or(0);
  co_return sum;
}

Task<uint64_t> offload_at_once(std::vector<JoinHandle<zokio::Result<uint64_t>>>* handles) {
  handles->clear();
  for (uint64_t i = 0; i < kMany; ++i) handles->push_back(zokio::spawn_blocking(&same, i));
  uint64_t sum = 0;
  for (auto& handle : *handles) sum += (co_await handle).value_or(0);
  co_return sum;
}

void blocking_seq(const Config& config) {
  auto runtime = start(config);
  measure(config, kSequential, [&] {
    return runtime->block_on(&offload_in_turn).value_or(0) == sum_below(kSequential);
  });
}

void blocking_many(const Config& config) {
  auto runtime = start(config);
  std::vector<JoinHandle<zokio::Result<uint64_t>>> handles;
  handles.reserve(kMany);
  measure(config, kMany, [&] {
    return runtime->block_on(&offload_at_once, &handles).value_or(0) == sum_below(kMany);
  });
}

constexpr Workload kWorkloads[] = {{"blocking_seq", &blocking_seq},
                                   {"blocking_many", &blocking_many}};

}  // namespace

std::span<const Workload> blocking_workloads() {
  return kWorkloads;
}

}  // namespace bench
