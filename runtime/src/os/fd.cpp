// SPDX-License-Identifier: Apache-2.0
#include "zokio/os/fd.h"

#include <unistd.h>

#include <cerrno>

#include "os/fd_generation.h"
#include "zokio/base/assert.h"

namespace zokio::os {

uint32_t fd_generations[kFollowedFds];

int Fd::release() noexcept {
  fd_changes_hands(fd_);
  return std::exchange(fd_, -1);
}

void Fd::reset() noexcept {
  if (fd_ < 0) return;
  fd_changes_hands(fd_);
  // Linux releases the number also when close() says EINTR or EIO; closing again could hit a
  // descriptor that another thread has just been given.
  const int rc = close(std::exchange(fd_, -1));
  ZOKIO_CHECK(rc == 0 || errno != EBADF, "a descriptor was closed behind its owner's back");
}

}  // namespace zokio::os
