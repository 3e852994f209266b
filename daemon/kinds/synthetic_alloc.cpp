// SPDX-License-Identifier: Apache-2.0
// synthetic.alloc: takes and returns pool buffers of random sizes from several tasks, each filled
// with a pattern that is looked at before the buffer goes back.

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "kinds/buffers.h"
#include "kinds/catalog.h"
#include "kinds/mix.h"
#include "kinds/synthetic.h"
#include "model/limits.h"
#include "zokio/join.h"
#include "zokio/simd/pattern.h"

namespace zokiod::kinds {
namespace {

using model::SyntheticAllocSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;
using zokio::mem::Buffer;

constexpr uint64_t kOperationsDefault = 10'000;
constexpr uint32_t kTasksDefault = 4;
constexpr uint32_t kTasksMax = 256;
constexpr uint32_t kLiveDefault = 32;
constexpr uint32_t kLiveMax = 4096;
constexpr uint64_t kBlockDefault = 64 * 1024;
constexpr uint64_t kBlockMin = 16;
// Operations between two turns of other tasks.
constexpr uint64_t kYieldStride = 64;

const SyntheticAllocSpec& spec_of(const model::JobSpec& spec) {
  return std::get<SyntheticAllocSpec>(spec.work);
}

void above(Violations& out, const char* field, uint64_t value, uint64_t most) {
  if (value > most)
    out.push_back(
        {std::string("spec.synthetic_alloc.") + field, fmt::format("{} is above {}", value, most)});
}

void validate(const model::JobSpec& job, Violations& out) {
  const SyntheticAllocSpec& spec = spec_of(job);
  above(out, "operations", spec.operations, model::kSyntheticOperationsMax);
  above(out, "tasks", spec.tasks, kTasksMax);
  above(out, "live_blocks", spec.live_blocks, kLiveMax);
  above(out, "block_size_max_bytes", spec.block_size_max_bytes, model::kSyntheticBlockBytesMax);
}

struct Churn {
  uint64_t seed, operations_each;
  uint32_t tasks, live;
  uint64_t block_max;
  JobContext* context;
  std::atomic<uint64_t> done{0}, bytes{0};
};

struct Block {
  Buffer buffer;
  uint64_t key = 0;
};

void fill(Block& block) {
  zokio::simd::fill_pattern(block.buffer.space(), block.key);
}

bool intact(const Block& block) {
  const zokio::Bytes bytes(block.buffer.data(), block.buffer.capacity());
  return zokio::simd::find_damage(bytes, block.key) == zokio::simd::kIntact;
}

// Gives back the block at `index`. False: it did not hold what was written into it.
bool give_back(std::vector<Block>& live, size_t index) {
  if (!intact(live[index])) return false;
  std::swap(live[index], live.back());
  live.pop_back();
  return true;
}

// A block of `size`. At the limit of the pool blocks of our own go back first: who holds some and
// waits for more, beside others who do the same, can wait for ever.
Task<Result<Buffer>> lease_or_give_back(std::vector<Block>& live, size_t size) {
  while (!live.empty()) {
    Result<Buffer> buffer = zokio::mem::lease(size);
    if (buffer || buffer.error().detail != zokio::Detail::Limit) co_return buffer;
    if (!give_back(live, live.size() - 1)) co_return zokio::fail(Errc::DataLoss, "synthetic.alloc");
  }
  co_return co_await lease_patiently(size);
}

Task<Result<uint64_t>> churn_task(Churn* churn, uint32_t task) {
  std::vector<Block> live;
  uint64_t sum = 0;
  for (uint64_t i = 0; i < churn->operations_each; ++i) {
    const uint64_t random = mix(churn->seed, uint64_t{task} << 40 | i);
    if (live.size() >= churn->live && !give_back(live, random % live.size()))
      co_return zokio::fail(Errc::DataLoss, "synthetic.alloc");
    Block block;
    // Small sizes as often as large ones: the exponent is drawn, then the size below it.
    const uint64_t cap = std::max(kBlockMin, churn->block_max >> (random >> 8) % 8);
    const uint64_t size = kBlockMin + (random >> 16) % (cap - kBlockMin + 1);
    ZOKIO_CO_TRY(block.buffer, co_await lease_or_give_back(live, size));
    block.key = random;
    fill(block);
    sum += mix(random, size);
    churn->bytes.fetch_add(size, std::memory_order_relaxed);
    live.push_back(std::move(block));
    if (i % kYieldStride != kYieldStride - 1) continue;
    if (zokio::cancelled()) co_return zokio::fail(Errc::Cancelled, "synthetic.alloc");
    const uint64_t done = churn->done.fetch_add(kYieldStride, std::memory_order_relaxed);
    churn->context->progress(done + kYieldStride, churn->operations_each * churn->tasks);
    co_await zokio::yield_now();
  }
  for (const Block& block : live)
    if (!intact(block)) co_return zokio::fail(Errc::DataLoss, "synthetic.alloc");
  co_return sum;
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const SyntheticAllocSpec& spec = spec_of(context.job().spec);
  const uint64_t operations = spec.operations ? spec.operations : kOperationsDefault;
  const auto tasks = static_cast<uint32_t>(
      std::min<uint64_t>(spec.tasks ? spec.tasks : kTasksDefault, operations));
  Churn churn{
      spec.seed,
      operations / tasks,
      tasks,
      spec.live_blocks ? spec.live_blocks : kLiveDefault,
      std::max(kBlockMin, spec.block_size_max_bytes ? spec.block_size_max_bytes : kBlockDefault),
      &context};
  std::vector<Task<Result<uint64_t>>> all;
  for (uint32_t i = 0; i < tasks; ++i) all.push_back(churn_task(&churn, i));
  const auto sums = co_await zokio::join_all(std::move(all));
  // The first real failure; the others only say that it cancelled them.
  const Result<uint64_t>* failed = nullptr;
  uint64_t sum = 0;
  for (const Result<uint64_t>& part : sums) {
    if (part)
      sum += *part;
    else if (failed == nullptr || failed->error().code == Errc::Cancelled)
      failed = &part;
  }
  if (failed == nullptr)
    co_return Finished{
        model::SyntheticResult{churn.operations_each * tasks, churn.bytes, checksum_text(sum)}, {}};
  if (failed->error().code == Errc::DataLoss)
    co_return model::refuse(Errc::DataLoss, "VERIFY_FAILED",
                            "a buffer did not hold what was written into it");
  co_return model::refuse(model::make_report(failed->error(), "synthetic.alloc"));
}

}  // namespace

const KindInfo kSyntheticAlloc = {.name = SyntheticAllocSpec::kKind,
                                  .summary = "takes and returns pool buffers and checks them",
                                  .allowed = synthetic::allowed,
                                  .validate = validate,
                                  .authorize = synthetic::authorize,
                                  .run = run};

}  // namespace zokiod::kinds
