// SPDX-License-Identifier: Apache-2.0
#pragma once

// Bytes with a counted owner: copies and slices share one block, and the last of them gives it back
// to the pool "buffers" (or to whoever owned it before), on whatever thread that happens.
//
//   ZOKIO_TRY(auto page, SharedBuffer::from(std::move(lease)));   // no byte is copied
//   auto header = page.slice(0, 12), body = page.slice(12, page.size() - 12);
//
// The count is in the block itself where that costs no larger class of the pool, otherwise in a
// block of its own.
// Thread: one thread at a time uses one SharedBuffer; others that share its block may be used
// elsewhere at the same time. Who writes has to be the only owner.

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "zokio/base/assert.h"
#include "zokio/base/atomic.h"
#include "zokio/base/bytes.h"
#include "zokio/base/result.h"
#include "zokio/mem/allocate.h"
#include "zokio/mem/buffer.h"

namespace zokio::mem {

namespace internal {

// Ordering: an owner is added by one who is already there (relaxed). The last one to go sees what
// the others did with the bytes before they went: release and acquire in drop(). Who finds itself
// alone in single() sees it too.
class SharedBlock {
 public:
  using Release = void(SharedBlock*) noexcept;

  explicit SharedBlock(Release* release) noexcept : release_(release) {}

  void add() noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }
  void drop() noexcept {
    if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) release_(this);
  }
  bool single() const noexcept { return owners_.load(std::memory_order_acquire) == 1; }
  Release* release() const noexcept { return release_; }

 private:
  Atomic<uint64_t> owners_{1};
  Release* const release_;
};

// Keeps an owner of any type until the last slice is gone.
template <class Owner>
class OwnerBlock : public SharedBlock {
 public:
  explicit OwnerBlock(Owner&& owner) noexcept : SharedBlock(&end), owner_(std::move(owner)) {}
  Owner& owner() noexcept { return owner_; }

  static void end(SharedBlock* base) noexcept {
    auto* self = static_cast<OwnerBlock*>(base);
    self->~OwnerBlock();
    deallocate<sizeof(OwnerBlock), alignof(OwnerBlock)>(self);
  }

 private:
  Owner owner_;
};

}  // namespace internal

// Bytes that shared buffers and chains ever copied for their callers, in this process: what a path
// that should copy nothing is held against.
uint64_t copied_bytes() noexcept;

class SharedBuffer {
 public:
  SharedBuffer() noexcept = default;
  SharedBuffer(const SharedBuffer& other) noexcept
      : block_(other.block_), data_(other.data_), size_(other.size_) {
    if (block_ != nullptr) block_->add();
  }
  SharedBuffer(SharedBuffer&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  SharedBuffer& operator=(SharedBuffer other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~SharedBuffer() {
    if (block_ != nullptr) block_->drop();
  }

  // `bytes` bytes of unspecified content, aligned to 16, owned by nobody else. Errors: as lease().
  static Result<SharedBuffer> make(std::size_t bytes);
  static Result<SharedBuffer> copy_of(Bytes bytes);
  // The filled bytes of a lease, without a copy. On an error `buffer` stays as it was.
  // Errors: ResourceExhausted.
  static Result<SharedBuffer> from(Buffer&& buffer);
  // Bytes that outlive every slice of them; nothing is counted.
  static SharedBuffer of_static(Bytes bytes) noexcept {
    return SharedBuffer(nullptr, const_cast<std::byte*>(bytes.data()), bytes.size());
  }
  // `bytes` lie in what `owner` owns, also after it was moved: a mapping, a vector, but no string
  // or array that carries its bytes in itself. Errors: ResourceExhausted; then `owner` is gone.
  template <class Owner>
    requires(std::is_nothrow_move_constructible_v<Owner>)
  static Result<SharedBuffer> adopt(Owner owner, Bytes bytes) {
    return adopt_from(owner, bytes);
  }

  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  Bytes bytes() const noexcept { return {data_, size_}; }

  // `size` bytes from `offset` on, sharing the block. Requires: they lie in this one. O(1).
  SharedBuffer slice(std::size_t offset, std::size_t size) const noexcept {
    SharedBuffer part = *this;
    part.remove_prefix(offset);
    part.truncate(size);
    return part;
  }
  // Requires: n <= size().
  void remove_prefix(std::size_t n) noexcept {
    ZOKIO_CHECK(n <= size_, "a slice outside of its buffer");
    data_ += n;
    size_ -= n;
  }
  void truncate(std::size_t size) noexcept {
    ZOKIO_CHECK(size <= size_, "a slice outside of its buffer");
    size_ = size;
  }
  // Cuts the first n bytes off and returns them. Requires: n <= size(). O(1).
  SharedBuffer split(std::size_t n) noexcept {
    SharedBuffer first = slice(0, n);
    remove_prefix(n);
    return first;
  }

  // Nobody else has a part of the block. False for static bytes.
  bool unique() const noexcept { return block_ != nullptr && block_->single(); }
  // Requires: unique().
  MutBytes writable() noexcept {
    ZOKIO_CHECK(unique(), "a shared buffer is written by its only owner");
    return {data_, size_};
  }

  // A lease with these bytes: the one this was made from when nobody else has a part of it and the
  // bytes are its first, otherwise a copy. Leaves this one empty, unless there is an error.
  // Errors: as lease().
  Result<Buffer> into_buffer() &&;

 private:
  SharedBuffer(internal::SharedBlock* block, std::byte* data, std::size_t size) noexcept
      : block_(block), data_(data), size_(size) {}

  template <class Owner>
  static Result<SharedBuffer> adopt_from(Owner& owner, Bytes bytes) {
    using Block = internal::OwnerBlock<Owner>;
    static_assert(sizeof(Block) <= kMaxBlock && alignof(Block) <= kAlignment);
    void* place = allocate<sizeof(Block), alignof(Block)>();
    if (place == nullptr) return fail(Errc::ResourceExhausted, "shared buffer");
    return SharedBuffer(new (place) Block(std::move(owner)), const_cast<std::byte*>(bytes.data()),
                        bytes.size());
  }

  internal::SharedBlock* block_ = nullptr;  // null: empty or static
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace zokio::mem
