// SPDX-License-Identifier: Apache-2.0
#include "zokio/mem/buffer_chain.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <new>
#include <utility>

#include "mem/copy.h"
#include "zokio/base/assert.h"

namespace zokio::mem {
namespace {

constexpr std::size_t kMaxEntries = 1024;          // IOV_MAX of Linux
constexpr std::size_t kMaxGathered = 0x7ffff000u;  // MAX_RW_COUNT

std::unexpected<Error> no_memory() {
  return fail(Errc::ResourceExhausted, "buffer chain");
}

}  // namespace

BufferChain::Node* BufferChain::new_node(SharedBuffer slice) noexcept {
  void* place = allocate<sizeof(Node), alignof(Node)>();
  return place == nullptr ? nullptr : new (place) Node{nullptr, std::move(slice)};
}

void BufferChain::free_node(Node* node) noexcept {
  node->~Node();
  deallocate<sizeof(Node), alignof(Node)>(node);
}

void BufferChain::push_front(Node* node) noexcept {
  node->next = head_;
  head_ = node;
  if (tail_ == nullptr) tail_ = node;
  size_ += node->slice.size();
  ++slices_;
}

void BufferChain::push_back(Node* node) noexcept {
  (tail_ == nullptr ? head_ : tail_->next) = node;
  tail_ = node;
  size_ += node->slice.size();
  ++slices_;
}

// Requires: not empty.
BufferChain::Node* BufferChain::pop_front() noexcept {
  Node* node = head_;
  head_ = node->next;
  if (head_ == nullptr) tail_ = nullptr;
  node->next = nullptr;
  size_ -= node->slice.size();
  --slices_;
  return node;
}

Result<void> BufferChain::append(SharedBuffer slice) {
  if (slice.empty()) return {};
  Node* node = new_node(std::move(slice));
  if (node == nullptr) return no_memory();
  push_back(node);
  return {};
}

Result<void> BufferChain::prepend(SharedBuffer slice) {
  if (slice.empty()) return {};
  Node* node = new_node(std::move(slice));
  if (node == nullptr) return no_memory();
  push_front(node);
  return {};
}

Result<void> BufferChain::append(Buffer buffer) {
  if (buffer.size() == 0) return {};
  ZOKIO_TRY(SharedBuffer slice, SharedBuffer::from(std::move(buffer)));
  return append(std::move(slice));
}

void BufferChain::append(BufferChain&& other) noexcept {
  ZOKIO_CHECK(this != &other, "a chain appended to itself");
  if (other.head_ == nullptr) return;
  (tail_ == nullptr ? head_ : tail_->next) = other.head_;
  tail_ = other.tail_;
  size_ += other.size_;
  slices_ += other.slices_;
  other.head_ = other.tail_ = nullptr;
  other.size_ = other.slices_ = 0;
}

void BufferChain::prepend(BufferChain&& other) noexcept {
  other.append(std::move(*this));
  swap(other);
}

Result<BufferChain> BufferChain::split(std::size_t n) {
  if (n > size_) return fail(Errc::OutOfRange, "buffer chain");
  // The only step that can fail is first: a node for the part of the slice that is cut.
  std::size_t before = 0;
  Node* cut = head_;
  for (; cut != nullptr && before + cut->slice.size() <= n; cut = cut->next)
    before += cut->slice.size();
  Node* part = nullptr;
  if (before < n) {
    part = new_node(cut->slice.slice(0, n - before));
    if (part == nullptr) return no_memory();
  }
  BufferChain first;
  while (first.size_ < before) first.push_back(pop_front());
  if (part != nullptr) {
    first.push_back(part);
    consume(n - before);
  }
  return first;
}

void BufferChain::consume(std::size_t n) noexcept {
  ZOKIO_CHECK(n <= size_, "consumed more than the chain has");
  while (n > 0) {
    const std::size_t has = head_->slice.size();
    if (n < has) {
      head_->slice.remove_prefix(n);
      size_ -= n;
      return;
    }
    n -= has;
    free_node(pop_front());
  }
}

Result<BufferChain> BufferChain::share() const {
  BufferChain out;
  for (const SharedBuffer& slice : *this) ZOKIO_CHECKED(out.append(slice));
  return out;
}

Result<Bytes> BufferChain::coalesce(std::size_t n) {
  if (n > size_) return fail(Errc::OutOfRange, "buffer chain");
  if (n == 0) return Bytes();
  if (head_->slice.size() < n) {
    ZOKIO_TRY(SharedBuffer joined, SharedBuffer::make(n));
    copy_out(joined.writable());
    Node* node = new_node(std::move(joined));
    if (node == nullptr) return no_memory();
    consume(n);
    push_front(node);
  }
  return head_->slice.bytes().first(n);
}

std::size_t BufferChain::copy_out(MutBytes out, std::size_t from) const noexcept {
  std::size_t done = 0;
  for (const Node* node = head_; node != nullptr && done < out.size(); node = node->next) {
    const Bytes bytes = node->slice.bytes();
    if (from >= bytes.size()) {
      from -= bytes.size();
      continue;
    }
    const std::size_t n = std::min(bytes.size() - from, out.size() - done);
    copy_counted(out.data() + done, bytes.data() + from, n);
    done += n;
    from = 0;
  }
  return done;
}

std::size_t BufferChain::find(std::byte value, std::size_t from) const noexcept {
  std::size_t before = 0;
  for (const SharedBuffer& slice : *this) {
    const std::size_t skip = std::min(from - std::min(from, before), slice.size());
    const std::byte* start = slice.data() + skip;
    const void* found = std::memchr(start, static_cast<int>(value), slice.size() - skip);
    if (found != nullptr)
      return before + static_cast<std::size_t>(static_cast<const std::byte*>(found) - slice.data());
    before += slice.size();
  }
  return npos;
}

BufferChain::Gathered BufferChain::gather(std::span<iovec> out) const noexcept {
  Gathered all;
  const std::size_t most = std::min(out.size(), kMaxEntries);
  for (const Node* node = head_; node != nullptr && all.entries < most; node = node->next) {
    const std::size_t n = std::min(node->slice.size(), kMaxGathered - all.bytes);
    if (n == 0) break;
    out[all.entries++] = {const_cast<std::byte*>(node->slice.data()), n};
    all.bytes += n;
  }
  return all;
}

}  // namespace zokio::mem
