// SPDX-License-Identifier: Apache-2.0
#include "kinds/buffers.h"

#include <chrono>

#include "zokio/time/sleep.h"

namespace zokiod::kinds {
namespace {

constexpr zokio::Duration kPatience = std::chrono::seconds(30);
// Between two tries; doubles up to the second.
constexpr zokio::Duration kFirstWait = std::chrono::milliseconds(1);
constexpr zokio::Duration kLongestWait = std::chrono::milliseconds(64);

}  // namespace

zokio::Task<zokio::Result<zokio::mem::Buffer>> lease_patiently(size_t bytes) {
  const zokio::Instant deadline = zokio::Instant::now() + kPatience;
  zokio::Duration wait = kFirstWait;
  while (true) {
    zokio::Result<zokio::mem::Buffer> buffer = zokio::mem::lease(bytes);
    const bool limit = !buffer && buffer.error().detail == zokio::Detail::Limit;
    if (!limit || zokio::Instant::now() >= deadline) co_return buffer;
    ZOKIO_CO_CHECKED(co_await zokio::sleep(wait));
    wait = std::min(wait * 2, kLongestWait);
  }
}

}  // namespace zokiod::kinds
