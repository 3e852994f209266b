// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the tests of this folder share. Nothing here depends on the I/O backend, so epoll serves.

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "coroutine_asserts.h"
#include "runtime_fixture.h"

namespace zokio::test {

// One worker, where the order of what runs is known.
class SyncOne : public RuntimeTest {};
// One and several.
class Sync : public RuntimeTest {};

#define ZOKIO_SYNC_MATRIX(Fixture)                                              \
  INSTANTIATE_TEST_SUITE_P(                                                     \
      Workers, Fixture,                                                         \
      testing::Values(::zokio::test::RuntimeParam{1, ::zokio::Backend::Epoll},  \
                      ::zokio::test::RuntimeParam{4, ::zokio::Backend::Epoll}), \
      ::zokio::test::param_name)
#define ZOKIO_SYNC_ONE(Fixture)                                                                  \
  INSTANTIATE_TEST_SUITE_P(                                                                      \
      Worker, Fixture, testing::Values(::zokio::test::RuntimeParam{1, ::zokio::Backend::Epoll}), \
      ::zokio::test::param_name)

// Gives the others turns until the counter is there. On one worker a task that counted and then
// waits has run into its wait.
inline Task<void> until(const std::atomic<int>* counter, int value) {
  while (counter->load() < value) co_await yield_now();
}

// How many values are alive; moved-from ones do not count.
class Counted {
 public:
  explicit Counted(int v, std::atomic<int>* alive) : value(v), alive_(alive) { ++*alive_; }
  Counted(Counted&& other) noexcept
      : value(other.value), alive_(std::exchange(other.alive_, nullptr)) {}
  Counted& operator=(Counted&& other) noexcept {
    std::swap(value, other.value);
    std::swap(alive_, other.alive_);
    return *this;
  }
  ~Counted() {
    if (alive_ != nullptr) --*alive_;
  }
  bool moved_from() const noexcept { return alive_ == nullptr; }

  int value;

 private:
  std::atomic<int>* alive_;
};

}  // namespace zokio::test
