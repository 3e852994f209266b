// SPDX-License-Identifier: Apache-2.0
#include "base/env.h"

#include <time.h>
#include <unistd.h>

namespace zokio {

namespace env {
namespace {

int64_t monotonic_ns() noexcept {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

#ifdef ZOKIO_SIM

namespace {
Oracle* current_oracle = nullptr;
}

void set_oracle(Oracle* oracle) noexcept {
  current_oracle = oracle;
}
int64_t now_ns() noexcept {
  return current_oracle ? current_oracle->now_ns() : monotonic_ns();
}
uint32_t choose(Choice what, uint32_t n, Rng&) noexcept {
  return current_oracle ? current_oracle->choose(what, n) : 0;
}
bool fault(Fault what) noexcept {
  return current_oracle != nullptr && current_oracle->fault(what);
}
bool later(void (*call)(void*), void* argument) noexcept {
  return current_oracle != nullptr && current_oracle->later(call, argument);
}

#else

int64_t now_ns() noexcept {
  return monotonic_ns();
}

#endif

uint64_t fresh_seed() noexcept {
  const uint64_t mixed =
      static_cast<uint64_t>(monotonic_ns()) * 0x9e3779b97f4a7c15 ^ static_cast<uint64_t>(getpid());
  return mixed | 1;
}

}  // namespace env

Instant Instant::now() noexcept {
  return {env::now_ns()};
}

}  // namespace zokio
