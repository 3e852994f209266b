// SPDX-License-Identifier: Apache-2.0
#include "mem/call_sites.h"

#include <pthread.h>

#include <algorithm>

#include "mem/mapping.h"

namespace zokio::mem::debug {
namespace {

// Where the thread's stack is; asked once, because asking may allocate and so come here again.
struct StackBounds {
  enum class State : uint8_t { Unknown, Asking, Known };
  State state = State::Unknown;
  std::uintptr_t low = 0;
  std::uintptr_t high = 0;
};
constinit thread_local StackBounds bounds;

void ask() noexcept {
  bounds.state = StackBounds::State::Asking;
  pthread_attr_t attributes;
  if (::pthread_getattr_np(::pthread_self(), &attributes) == 0) {
    void* start = nullptr;
    std::size_t bytes = 0;
    if (::pthread_attr_getstack(&attributes, &start, &bytes) == 0) {
      bounds.low = reinterpret_cast<std::uintptr_t>(start);
      bounds.high = bounds.low + bytes;
    }
    ::pthread_attr_destroy(&attributes);
  }
  bounds.state = StackBounds::State::Known;
}

uint32_t hash_of(const Stack& stack) noexcept {
  uint64_t hash = stack.depth;
  for (unsigned i = 0; i < stack.depth; ++i) {
    hash = (hash ^ reinterpret_cast<std::uintptr_t>(stack.frames[i])) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  return static_cast<uint32_t>(hash >> 32);
}

}  // namespace

// A frame begins with the caller's frame address, behind which the return address is, on x86-64
// and on aarch64.
[[gnu::no_sanitize_address, gnu::no_sanitize_thread]] Stack capture(void* const* frame) noexcept {
  if (bounds.state == StackBounds::State::Unknown) ask();
  Stack out;
  out.frames[out.depth++] = frame[1];
  const auto usable = [](std::uintptr_t at) {
    return at >= bounds.low && at < bounds.high && bounds.high - at >= 2 * sizeof(void*) &&
           at % sizeof(void*) == 0;
  };
  if (!usable(reinterpret_cast<std::uintptr_t>(frame))) return out;
  while (out.depth < kSiteFrames) {
    auto* const up = static_cast<void* const*>(frame[0]);
    if (up <= frame || !usable(reinterpret_cast<std::uintptr_t>(up)) || up[1] == nullptr) break;
    out.frames[out.depth++] = up[1];
    frame = up;
  }
  return out;
}

uint32_t CallSites::number_of(const Stack& stack) noexcept {
  if (sites_ == nullptr) {
    sites_ = reinterpret_cast<Site*>(map(round_to_pages(kMost * sizeof(Site)), kPageBytes));
    if (sites_ == nullptr) return 0;
  }
  const uint32_t hash = hash_of(stack);
  uint32_t& first = first_[hash % kBuckets];
  for (uint32_t at = first; at != 0; at = sites_[at].next) {
    const Site& site = sites_[at];
    if (site.hash == hash && site.stack.depth == stack.depth && site.stack.frames == stack.frames)
      return at;
  }
  if (count_ == kMost) return 0;
  sites_[count_] = {.hash = hash, .next = first, .stack = stack};
  first = count_;
  return count_++;
}

Stack CallSites::stack(uint32_t number) const noexcept {
  return number != 0 ? sites_[number].stack : Stack{};
}

}  // namespace zokio::mem::debug
