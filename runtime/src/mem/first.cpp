// SPDX-License-Identifier: Apache-2.0
// Frames and buffers straight from the C library.

#include <cstdlib>

#include "zokio/mem/buffer.h"
#include "zokio/mem/frame.h"
#include "zokio/mem/pools.h"
#include "zokio/mem/thread_cache.h"

namespace zokio::mem {

void* allocate_frame(std::size_t bytes) noexcept {
  void* p = std::malloc(bytes);
  ZOKIO_CHECK(p != nullptr, "out of memory for a coroutine frame");
  return p;
}
void free_frame(void* frame, std::size_t) noexcept {
  std::free(frame);
}

Result<Buffer> lease(std::size_t bytes) {
  if (bytes == 0 || bytes > kMaxBufferBytes) return fail(Errc::InvalidArgument, "lease buffer");
  auto* p = static_cast<std::byte*>(std::malloc(bytes));
  if (p == nullptr) return fail(Errc::ResourceExhausted, "lease buffer");
  return Buffer(p, bytes);
}
void Buffer::reset() noexcept {
  std::free(data_);
  data_ = nullptr;
  capacity_ = size_ = 0;
}

ThreadCache* acquire_thread_cache() noexcept {
  return nullptr;
}
void release_thread_cache(ThreadCache*) noexcept {}
ThreadCache* current_cache() noexcept {
  return nullptr;
}
void set_current_cache(ThreadCache*) noexcept {}
void park_thread_cache(ThreadCache*) noexcept {}
void unpark_thread_cache(ThreadCache*) noexcept {}
void drain_thread_cache(ThreadCache*) noexcept {}

std::string_view pool_name(PoolId pool) noexcept {
  return pool == PoolId::Frames ? "frames" : "buffers";
}
Result<PoolId> find_pool(std::string_view name) {
  if (name == "frames") return PoolId::Frames;
  if (name == "buffers") return PoolId::Buffers;
  return fail(Errc::NotFound, "pool");
}
PoolSnapshot snapshot(PoolId pool) {
  PoolSnapshot out;
  out.name = pool_name(pool);
  return out;
}
std::vector<PoolSnapshot> snapshots() {
  return {snapshot(PoolId::Frames), snapshot(PoolId::Buffers)};
}
Result<LimitReport> set_limit(std::string_view pool, uint64_t bytes, bool) {
  ZOKIO_CHECKED(find_pool(pool));
  return LimitReport{.requested = bytes};
}
Result<void> check_limit(std::string_view pool, uint64_t, bool) {
  ZOKIO_CHECKED(find_pool(pool));
  return {};
}
Result<LimitReport> set_total_limit(uint64_t bytes, bool) {
  return LimitReport{.requested = bytes};
}
uint64_t total_limit() noexcept {
  return 0;
}
uint64_t trim() {
  return 0;
}

}  // namespace zokio::mem
