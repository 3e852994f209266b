// SPDX-License-Identifier: Apache-2.0
#include "zokio/fs/lock.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "zokio/time/sleep.h"

namespace zokio::fs {
namespace {

// -1 with errno. Locks of regions from 0 to the end, wherever that is.
int set_lock(int fd, short type) noexcept {
  struct flock region{};
  region.l_type = type;
  region.l_whence = SEEK_SET;
  int rc;
  do {
    rc = fcntl(fd, F_OFD_SETLK, &region);
  } while (rc != 0 && errno == EINTR);
  return rc;
}

}  // namespace

void FileLock::unlock() noexcept {
  if (file_ == nullptr) return;
  // Fails only for a file that was closed before, and then the lock is gone.
  static_cast<void>(set_lock(file_->fd(), F_UNLCK));
  file_ = nullptr;
}

Result<FileLock> try_lock(const File& file, LockKind kind) {
  if (set_lock(file.fd(), kind == LockKind::Shared ? F_RDLCK : F_WRLCK) == 0) {
    return FileLock(file);
  }
  if (errno == EAGAIN || errno == EACCES) return fail(Errc::Unavailable, "lock", Detail::Limit);
  return fail_errno(errno, "lock");
}

Task<Result<FileLock>> lock(const File& file, LockKind kind) {
  constexpr auto kFirst = std::chrono::milliseconds(1);
  constexpr auto kLongest = std::chrono::milliseconds(100);
  for (Duration wait = kFirst;; wait = std::min<Duration>(wait * 2, kLongest)) {
    auto got = try_lock(file, kind);
    if (got.has_value() || got.error().detail != Detail::Limit) co_return got;
    ZOKIO_CO_CHECKED(co_await sleep(wait));
  }
}

}  // namespace zokio::fs
