// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/resource.h>

#include <cstdint>

namespace zokio::os {

// How often this thread lost its processor although it could have gone on. One cheap system call.
inline uint64_t involuntary_switches() noexcept {
  rusage usage;
  return getrusage(RUSAGE_THREAD, &usage) == 0 ? static_cast<uint64_t>(usage.ru_nivcsw) : 0;
}

}  // namespace zokio::os
