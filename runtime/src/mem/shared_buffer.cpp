// SPDX-License-Identifier: Apache-2.0
// Where the count of a shared block lives, and how the block goes back.

#include "zokio/mem/shared_buffer.h"

#include <cstring>
#include <new>

#include "mem/block.h"
#include "mem/copy.h"
#include "zokio/stats/counter.h"

namespace zokio::mem {
namespace {

using internal::SharedBlock;
using LeaseBlock = internal::OwnerBlock<Buffer>;

// A block of the pool "buffers" that begins with its own count.
class FrontBlock : public SharedBlock {
 public:
  explicit FrontBlock(std::size_t bytes) noexcept : SharedBlock(&end), bytes_(bytes) {}

 private:
  static void end(SharedBlock* base) noexcept {
    auto* self = static_cast<FrontBlock*>(base);
    const std::size_t bytes = self->bytes_;
    self->~FrontBlock();
    give_block(PoolId::Buffers, self, bytes);
  }
  std::size_t bytes_;  // of the whole block
};

constexpr std::size_t kFront = (sizeof(FrontBlock) + kAlignment - 1) / kAlignment * kAlignment;

// A count in front of 4096 bytes would cost a class of 5120.
bool fits_in_front(std::size_t bytes) noexcept {
  if (bytes + kFront > kMaxBlock) return false;
  return bytes <= kFineLimit || class_of(bytes + kFront) == class_of(bytes);
}

constinit stats::Counter copied;

}  // namespace

uint64_t copied_bytes() noexcept {
  return copied.read();
}

void copy_counted(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  std::memcpy(to, from, bytes);
  copied.add_shared(bytes);
}

Result<SharedBuffer> SharedBuffer::make(std::size_t bytes) {
  if (bytes == 0 || !fits_in_front(bytes)) {
    ZOKIO_TRY(Buffer buffer, lease(bytes));
    buffer.resize(bytes);
    return from(std::move(buffer));
  }
  Refusal why = Refusal::None;
  void* block =
      take_block(PoolId::Buffers, kFront + bytes, pool(PoolId::Buffers).may_exceed(), why);
  if (block == nullptr) {
    const Detail detail = why == Refusal::System ? Detail::None : Detail::Limit;
    return fail(Errc::ResourceExhausted, "shared buffer", detail);
  }
  return SharedBuffer(new (block) FrontBlock(kFront + bytes),
                      static_cast<std::byte*>(block) + kFront, bytes);
}

Result<SharedBuffer> SharedBuffer::copy_of(Bytes bytes) {
  if (bytes.empty()) return SharedBuffer();
  ZOKIO_TRY(SharedBuffer copy, make(bytes.size()));
  copy_counted(copy.data_, bytes.data(), bytes.size());
  return copy;
}

Result<SharedBuffer> SharedBuffer::from(Buffer&& buffer) {
  return adopt_from(buffer, buffer.bytes());
}

Result<Buffer> SharedBuffer::into_buffer() && {
  if (block_ != nullptr && block_->release() == &LeaseBlock::end && block_->single()) {
    Buffer& leased = static_cast<LeaseBlock*>(block_)->owner();
    if (leased.data() == data_) {
      Buffer buffer = std::move(leased);
      buffer.resize(size_);
      *this = SharedBuffer();
      return buffer;
    }
  }
  ZOKIO_TRY(Buffer copy, lease(size_));
  copy_counted(copy.data(), data_, size_);
  copy.resize(size_);
  *this = SharedBuffer();
  return copy;
}

}  // namespace zokio::mem
