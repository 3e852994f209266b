// SPDX-License-Identifier: Apache-2.0
#pragma once

// I/O buffers leased from the pool "buffers". A lease says how many bytes it holds (capacity) and
// how many of them are filled (size).
// Thread: lease on any; one thread at a time uses a Buffer; destroying it on any thread is fine.

#include <cstddef>
#include <utility>

#include "zokio/base/assert.h"
#include "zokio/base/bytes.h"
#include "zokio/base/result.h"

namespace zokio::mem {

inline constexpr std::size_t kMaxBufferBytes = std::size_t{64} << 20;

class Buffer;

// A buffer of exactly `bytes` capacity, unspecified content, aligned to 16.
// Errors: ResourceExhausted/Limit when the cap of the pool (or of all pools) does not allow it,
// ResourceExhausted when the system has no memory, InvalidArgument for 0 or more than 64 MiB.
Result<Buffer> lease(std::size_t bytes);

// As zokio/mem/registered.h has it.
Result<Buffer> lease_registered(std::size_t bytes);

// Move-only; the memory goes back to the pool when it is destroyed.
class Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      reset();
      data_ = std::exchange(other.data_, nullptr);
      capacity_ = std::exchange(other.capacity_, 0);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }
  ~Buffer() { reset(); }

  explicit operator bool() const noexcept { return data_ != nullptr; }

  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  std::size_t capacity() const noexcept { return capacity_; }
  std::size_t size() const noexcept { return size_; }

  // Says how many bytes are filled. Requires: n <= capacity().
  void resize(std::size_t n) noexcept {
    ZOKIO_CHECK(n <= capacity_, "buffer resized beyond its capacity");
    size_ = n;
  }

  Bytes bytes() const noexcept { return {data_, size_}; }
  MutBytes space() noexcept { return {data_, capacity_}; }

  // Gives the memory back now and leaves an empty buffer.
  void reset() noexcept;

 private:
  friend Result<Buffer> lease(std::size_t bytes);
  friend Result<Buffer> lease_registered(std::size_t bytes);
  Buffer(std::byte* data, std::size_t capacity) noexcept : data_(data), capacity_(capacity) {}

  std::byte* data_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
};

}  // namespace zokio::mem
