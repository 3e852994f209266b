// SPDX-License-Identifier: Apache-2.0
#include "io/zero_copy.h"

namespace zokio::io {
namespace {

constexpr unsigned kCopiedShift = 32;

}  // namespace

bool ZeroCopyPolicy::use(std::size_t bytes) noexcept {
  if (native_ && bytes >= kLeastBytes) {
    // An approximate count is enough: some more or fewer do no harm.
    if (off_left_.load(std::memory_order_relaxed) <= 0) return true;
    off_left_.fetch_sub(1, std::memory_order_relaxed);
  }
  plain_.add_shared();
  return false;
}

void ZeroCopyPolicy::sent(uint64_t bytes, bool copied) noexcept {
  sends_.add_shared();
  bytes_.add_shared(bytes);
  if (copied) copied_.add_shared();
  const uint64_t one = 1 + (copied ? uint64_t{1} << kCopiedShift : 0);
  const uint64_t now = trial_.fetch_add(one, std::memory_order_relaxed) + one;
  // Only one sees exactly this many, and begins the next.
  if (static_cast<uint32_t>(now) != kTrial) return;
  if (now >> kCopiedShift > kTrial / 2)
    off_left_.store(static_cast<int64_t>(kOffFor), std::memory_order_relaxed);
  trial_.store(0, std::memory_order_relaxed);
}

void ZeroCopyPolicy::refused() noexcept {
  refused_.add_shared();
  plain_.add_shared();
}

ZeroCopySnapshot ZeroCopyPolicy::snapshot() const {
  ZeroCopySnapshot out;
  out.sends = sends_.read();
  out.bytes = bytes_.read();
  out.copied = copied_.read();
  out.plain = plain_.read();
  out.refused = refused_.read();
  if (!native_)
    out.off_reason = "epoll, or a kernel without it (Linux 6.0)";
  else if (off_left_.load(std::memory_order_relaxed) > 0)
    out.off_reason = "mostly copied";
  return out;
}

}  // namespace zokio::io
