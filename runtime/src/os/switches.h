// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace zokio::os {

// How often this thread lost its processor although it could have gone on. One cheap system call.
inline uint64_t involuntary_switches() noexcept {
  rusage usage;
  return getrusage(RUSAGE_THREAD, &usage) == 0 ? static_cast<uint64_t>(usage.ru_nivcsw) : 0;
}

// How long this thread has waited for a processor in its life, although it could run. 0 when the
// system does not tell. Some microseconds.
inline uint64_t processor_wait_ns() noexcept {
  const int fd = ::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[96];  // ran, waited, slices
  const ssize_t n = ::read(fd, text, sizeof(text) - 1);
  ::close(fd);
  if (n <= 0) return 0;
  text[n] = '\0';
  char* waited = nullptr;
  std::strtoull(text, &waited, 10);
  return std::strtoull(waited, nullptr, 10);
}

}  // namespace zokio::os
