// SPDX-License-Identifier: Apache-2.0
#include "os/eventfd.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "zokio/base/assert.h"

namespace zokio::os {

Result<Fd> make_eventfd() {
  Fd fd(eventfd(0, EFD_CLOEXEC));
  if (!fd) return fail_errno(errno, "eventfd");
  return fd;
}

void ring_eventfd(int fd) noexcept {
  const uint64_t one = 1;
  ssize_t n;
  do {
    n = write(fd, &one, sizeof one);
  } while (n < 0 && errno == EINTR);
  ZOKIO_CHECK(n == sizeof one, "eventfd write failed");
}

void drain_eventfd(int fd) noexcept {
  uint64_t count = 0;
  ssize_t n;
  do {
    n = read(fd, &count, sizeof count);
  } while (n < 0 && errno == EINTR);
  ZOKIO_CHECK(n == sizeof count, "eventfd read failed");
}

}  // namespace zokio::os
