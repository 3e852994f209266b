// SPDX-License-Identifier: Apache-2.0
// Leases: a cap is an error that the caller sees.

#include "zokio/mem/buffer.h"

#include "mem/block.h"
#include "mem/registered.h"
#include "zokio/mem/registered.h"

namespace zokio::mem {

void give_to_waiters(std::size_t bytes) noexcept {
  if (this_thread_cache != nullptr && bytes <= kMaxBlock)
    this_thread_cache->empty(pool(PoolId::Buffers).index(), class_of(bytes));
  tell_room();
}

Result<Buffer> lease(std::size_t bytes) {
  if (bytes == 0 || bytes > kMaxBufferBytes) return fail(Errc::InvalidArgument, "lease buffer");
  Refusal why = Refusal::None;
  void* block = take_block(PoolId::Buffers, bytes, pool(PoolId::Buffers).may_exceed(), why);
  if (block != nullptr) return Buffer(static_cast<std::byte*>(block), bytes);
  const Detail detail = why == Refusal::System ? Detail::None : Detail::Limit;
  return fail(Errc::ResourceExhausted, "lease buffer", detail);
}

Result<Buffer> lease_registered(std::size_t bytes) {
  if (std::byte* block = take_registered(bytes)) return Buffer(block, bytes);
  return lease(bytes);
}

void Buffer::reset() noexcept {
  if (data_ == nullptr) return;
  if (is_registered(data_)) [[unlikely]]
    give_registered(data_);
  else
    give_block(PoolId::Buffers, data_, capacity_);
  data_ = nullptr;
  capacity_ = size_ = 0;
}

}  // namespace zokio::mem
