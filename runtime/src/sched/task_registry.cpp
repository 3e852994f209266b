// SPDX-License-Identifier: Apache-2.0
#include "sched/task_registry.h"

#include <algorithm>
#include <cstdlib>

#include "zokio/base/assert.h"

namespace zokio::sched {

TaskRegistry::TaskRegistry() {
  // calloc, because most of the table is never touched.
  chunks_ = static_cast<std::atomic<Chunk*>*>(std::calloc(kChunks, sizeof(std::atomic<Chunk*>)));
  ZOKIO_CHECK(chunks_ != nullptr, "no memory for the table of tasks");
}

TaskRegistry::~TaskRegistry() {
  for (uint32_t i = 0; i < next_chunk_; ++i) {
    Chunk* chunk = chunks_[i].load(std::memory_order_relaxed);
    if (chunk == nullptr) continue;
    delete[] chunk->names.load(std::memory_order_relaxed);
    delete chunk;
  }
  std::free(chunks_);
}

unsigned TaskRegistry::shard_index(uint32_t worker) noexcept {
  if (worker != task::kNoWorker) return worker;
  return kWorkerSlots + thread_shard();
}

void TaskRegistry::insert_slow(task::Header* task, uint32_t worker, const char* name) noexcept {
  const unsigned index = shard_index(worker);
  Shard& shard = shards_[index];
  std::unique_lock guard(shard.lock, std::defer_lock);
  if (index >= kWorkerSlots) guard.lock();
  if (shard.free == kNone) refill(index);
  place(task, shard, name);
}

// Requires: the free list is empty.
void TaskRegistry::refill(unsigned index) noexcept {
  Shard& shard = shards_[index];
  // Ordering: acquire pairs with the release of the push.
  const uint64_t returned = shard.returned.exchange(kNone, std::memory_order_acquire);
  shard.free = static_cast<uint32_t>(returned);
  shard.live -= static_cast<uint32_t>(returned >> kCountShift);
  if (shard.free != kNone) return;
  auto* chunk = new Chunk;
  chunk->shard = index;
  std::scoped_lock guard(mutex_);
  if (spare_chunks_.empty()) {
    ZOKIO_CHECK(next_chunk_ < kChunks, "more than 67 million tasks");
    chunk->index = next_chunk_++;
  } else {
    chunk->index = spare_chunks_.back();
    spare_chunks_.pop_back();
  }
  const uint32_t base = chunk->index * kChunkEntries;
  for (uint32_t i = 0; i < kChunkEntries; ++i) {
    const uint64_t following = i + 1 < kChunkEntries ? base + i + 1 : kNone;
    chunk->entries[i].store(following << 2 | kFree, std::memory_order_relaxed);
  }
  chunk->next = shard.chunks;
  shard.chunks = chunk;
  ++shard.chunk_count;
  shard.free = base;
  chunks_[chunk->index].store(chunk, std::memory_order_release);
  bytes_.fetch_add(sizeof(Chunk), std::memory_order_relaxed);
}

void TaskRegistry::remove_elsewhere(Chunk* chunk, uint32_t slot) noexcept {
  Shard& home = shards_[chunk->shard];
  Atomic<uint64_t>& word = chunk->entries[slot % kChunkEntries];
  uint64_t before = home.returned.load(std::memory_order_relaxed);
  release_entry(word, static_cast<uint32_t>(before));
  const uint64_t generation = word.load(std::memory_order_relaxed) >> kGenerationShift
                                                                          << kGenerationShift;
  const auto with_this = [slot](uint64_t list) {
    return ((list >> kCountShift) + 1) << kCountShift | slot;
  };
  while (!home.returned.compare_exchange_weak(before, with_this(before), std::memory_order_release,
                                              std::memory_order_relaxed))
    word.store(generation | (before & kNone) << 2 | kFree, std::memory_order_relaxed);
}

uint64_t TaskRegistry::id_of(const task::Header* task) const noexcept {
  const uint32_t slot = __atomic_load_n(&task->slot, __ATOMIC_RELAXED);
  if (slot == task::kUnlisted) return 0;
  const uint64_t generation = entry(slot).load(std::memory_order_relaxed) >> kGenerationShift;
  return generation << 32 | slot;
}

void TaskRegistry::set_name(uint32_t slot, const char* name) noexcept {
  Chunk* chunk = chunks_[slot / kChunkEntries].load(std::memory_order_relaxed);
  const char** names = chunk->names.load(std::memory_order_relaxed);
  if (names == nullptr) {
    names = new const char*[kChunkEntries];
    std::fill_n(names, kChunkEntries, "");
    chunk->names.store(names, std::memory_order_release);
    bytes_.fetch_add(sizeof(const char*) * kChunkEntries, std::memory_order_relaxed);
  }
  names[slot % kChunkEntries] = name;
}

const char* TaskRegistry::name_of(const task::Header* task) const noexcept {
  const Chunk* chunk = chunks_[task->slot / kChunkEntries].load(std::memory_order_acquire);
  const char** names = chunk->names.load(std::memory_order_acquire);
  return names != nullptr ? names[task->slot % kChunkEntries] : "";
}

void TaskRegistry::for_each(const std::function<bool(task::Header*)>& look) {
  // Chunk by chunk, because workers take the lock to make new ones.
  for (uint32_t i = 0;; ++i) {
    std::scoped_lock guard(mutex_);
    if (i >= next_chunk_) return;
    Chunk* chunk = chunks_[i].load(std::memory_order_acquire);
    if (chunk == nullptr) continue;
    for (Atomic<uint64_t>& word : chunk->entries) {
      uint64_t live = word.load(std::memory_order_acquire);
      if ((live & kAddress) == 0 || (live & (kFree | kPinned)) != 0) continue;
      if (!word.compare_exchange_strong(live, live | kPinned, std::memory_order_acquire,
                                        std::memory_order_relaxed))
        continue;
      const bool go_on = look(reinterpret_cast<task::Header*>(live & kAddress));
      word.store(live, std::memory_order_release);
      if (!go_on) return;
    }
  }
}

void TaskRegistry::release_if_empty(uint32_t worker) noexcept {
  const auto release = [this](unsigned index) {
    Shard& shard = shards_[index];
    if (shard.chunk_count <= 4) return;  // by feel: 4,096 tasks are no burst
    // Ordering: acquire pairs with the release of the push. No task is left, so none is pushed.
    const uint64_t returned = shard.returned.load(std::memory_order_acquire);
    if (shard.live != returned >> kCountShift) return;
    std::unique_lock guard(mutex_, std::try_to_lock);
    if (!guard.owns_lock()) return;  // a walk: the next sleep does it
    shard.returned.store(kNone, std::memory_order_relaxed);
    shard.live = 0;
    while (Chunk* chunk = shard.chunks) {
      shard.chunks = chunk->next;
      chunks_[chunk->index].store(nullptr, std::memory_order_relaxed);
      spare_chunks_.push_back(chunk->index);
      uint64_t bytes = sizeof(Chunk);
      if (const char** names = chunk->names.load(std::memory_order_relaxed)) {
        bytes += sizeof(const char*) * kChunkEntries;
        delete[] names;
      }
      bytes_.fetch_sub(bytes, std::memory_order_relaxed);
      delete chunk;
    }
    shard.chunk_count = 0;
    shard.free = kNone;
  };
  release(worker);
  for (unsigned index = kWorkerSlots; index < shards_.size(); ++index) {
    if (!shards_[index].lock.try_lock()) continue;
    release(index);
    shards_[index].lock.unlock();
  }
}

}  // namespace zokio::sched
