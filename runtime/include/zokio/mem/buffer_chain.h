// SPDX-License-Identifier: Apache-2.0
#pragma once

// Bytes in several pieces: what was received in parts, or a header and a body that go out together.
// A list of slices (zokio/mem/shared_buffer.h) that is cut and joined without copying them.
// Thread: one at a time.

#include <sys/uio.h>

#include <cstddef>
#include <iterator>
#include <span>

#include "zokio/base/bytes.h"
#include "zokio/base/result.h"
#include "zokio/mem/shared_buffer.h"

namespace zokio::mem {

class BufferChain {
  struct Node {
    Node* next = nullptr;
    SharedBuffer slice;
  };

 public:
  static constexpr std::size_t npos = SIZE_MAX;

  class iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = SharedBuffer;
    using difference_type = std::ptrdiff_t;
    using pointer = const SharedBuffer*;
    using reference = const SharedBuffer&;

    iterator() noexcept = default;
    reference operator*() const noexcept { return node_->slice; }
    pointer operator->() const noexcept { return &node_->slice; }
    iterator& operator++() noexcept {
      node_ = node_->next;
      return *this;
    }
    iterator operator++(int) noexcept {
      iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(iterator, iterator) noexcept = default;

   private:
    friend class BufferChain;
    explicit iterator(const Node* node) noexcept : node_(node) {}
    const Node* node_ = nullptr;
  };

  BufferChain() noexcept = default;
  BufferChain(BufferChain&& other) noexcept { swap(other); }
  BufferChain& operator=(BufferChain&& other) noexcept {
    BufferChain taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~BufferChain() { clear(); }

  std::size_t size() const noexcept { return size_; }      // bytes
  std::size_t slices() const noexcept { return slices_; }  // none of them empty
  bool empty() const noexcept { return size_ == 0; }
  iterator begin() const noexcept { return iterator(head_); }
  iterator end() const noexcept { return {}; }

  // O(1). Errors: ResourceExhausted; then nothing changed but that the slice is gone.
  Result<void> append(SharedBuffer slice);
  Result<void> prepend(SharedBuffer slice);
  // The filled bytes of a lease, without a copy.
  Result<void> append(Buffer buffer);
  // Moves all slices of `other` here. O(1).
  void append(BufferChain&& other) noexcept;
  void prepend(BufferChain&& other) noexcept;

  // Cuts the first n bytes off and returns them. O(slices of them), no byte is copied.
  // Errors: OutOfRange (n > size()), ResourceExhausted; then nothing changed.
  Result<BufferChain> split(std::size_t n);
  // Gives the first n bytes back. Requires: n <= size().
  void consume(std::size_t n) noexcept;
  void clear() noexcept { consume(size_); }
  // The same bytes once more, shared. O(slices).
  Result<BufferChain> share() const;

  // Makes the first n bytes one slice and returns it; copies them unless they are one already.
  // Errors: OutOfRange, and those of lease(); then nothing changed.
  Result<Bytes> coalesce(std::size_t n);

  // Copies from byte `from` on; the number of bytes, at most out.size().
  std::size_t copy_out(MutBytes out, std::size_t from = 0) const noexcept;
  // Where `value` is for the first time at or after `from`; npos: nowhere.
  std::size_t find(std::byte value, std::size_t from = 0) const noexcept;

  struct Gathered {
    std::size_t entries = 0;
    std::size_t bytes = 0;  // of the chain's first ones
  };
  // The first slices as entries of writev or sendmsg: at most out.size(), and no more than one call
  // takes (1024 entries, 2 GiB). For a long chain: gather, write, consume what was written, again.
  Gathered gather(std::span<iovec> out) const noexcept;

 private:
  static Node* new_node(SharedBuffer slice) noexcept;
  static void free_node(Node* node) noexcept;
  void push_front(Node* node) noexcept;
  void push_back(Node* node) noexcept;
  Node* pop_front() noexcept;
  void swap(BufferChain& other) noexcept {
    std::swap(head_, other.head_);
    std::swap(tail_, other.tail_);
    std::swap(size_, other.size_);
    std::swap(slices_, other.slices_);
  }

  Node* head_ = nullptr;
  Node* tail_ = nullptr;
  std::size_t size_ = 0;
  std::size_t slices_ = 0;
};

}  // namespace zokio::mem
