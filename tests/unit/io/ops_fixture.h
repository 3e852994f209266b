// SPDX-License-Identifier: Apache-2.0
#pragma once

// A runtime for each backend, and a check that no buffer and no descriptor is left; with what the
// tests of single operations share.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cstring>
#include <string>
#include <string_view>

#include "coroutine_asserts.h"
#include "runtime_fixture.h"
#include "zokio/mem/buffer.h"
#include "zokio/mem/pools.h"
#include "zokio/os/fd.h"

namespace zokio::test {

class BufferTest : public RuntimeTest {
 protected:
  void SetUp() override {
    buffers_before_ = mem::snapshot(mem::PoolId::Buffers).objects_in_use;
    RuntimeTest::SetUp();
  }
  void TearDown() override {
    RuntimeTest::TearDown();
    EXPECT_EQ(mem::snapshot(mem::PoolId::Buffers).objects_in_use, buffers_before_);
  }

 private:
  uint64_t buffers_before_ = 0;
};

inline mem::Buffer text_buffer(std::string_view text) {
  mem::Buffer buffer = *mem::lease(text.empty() ? 1 : text.size());
  std::memcpy(buffer.data(), text.data(), text.size());
  buffer.resize(text.size());
  return buffer;
}

// Different at each position, so that what is misplaced shows.
inline std::string pattern_text(std::size_t size, unsigned seed = 1) {
  std::string text(size, '\0');
  uint64_t x = seed * 0x9e3779b97f4a7c15ull + 1;
  for (char& c : text) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    c = static_cast<char>(x);
  }
  return text;
}

struct SocketPair {
  os::Fd a;
  os::Fd b;

  explicit SocketPair(int type = SOCK_STREAM) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    a = os::Fd(ends[0]);
    b = os::Fd(ends[1]);
  }
};

// Cancels `make(0)`, `make(1)`, ... at ever later points, from before its first step on. Each has
// to end as cancelled, or as if nothing had been (`ended` counts those), or as `also` allows: what
// one half of it says when the other was the first to be cancelled.
template <class Make>
Task<void> cancel_at_every_point(Make make, unsigned rounds, unsigned* ended, unsigned* cut,
                                 bool (*also)(Errc) = nullptr) {
  for (unsigned round = 0; round < rounds; ++round) {
    auto task = make(round);
    for (unsigned i = 0; i < round % 8; ++i) co_await yield_now();
    if (round % 16 >= 8) (void)co_await sleep(std::chrono::microseconds(round * 10));
    task.cancel();
    auto outcome = co_await task;
    if (outcome.has_value()) {
      ++*ended;
    } else {
      ++*cut;
      if (outcome.error().code != Errc::Cancelled && !(also && also(outcome.error().code)))
        ADD_FAILURE() << outcome.error().to_string();
    }
  }
}

}  // namespace zokio::test
