// SPDX-License-Identifier: Apache-2.0
#pragma once

// Locks of whole files between processes, and between opens in one: advisory, of the open file
// description (OFD), so closing another descriptor of the same file takes nothing away.

#include <utility>

#include "zokio/base/result.h"
#include "zokio/fs/file.h"
#include "zokio/task/task.h"

namespace zokio::fs {

enum class LockKind : uint8_t { Shared, Exclusive };

// Holds it until it goes. `file` outlives it. Move-only.
class [[nodiscard]] FileLock {
 public:
  FileLock() = default;
  FileLock(FileLock&& other) noexcept : file_(std::exchange(other.file_, nullptr)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    if (this != &other) {
      unlock();
      file_ = std::exchange(other.file_, nullptr);
    }
    return *this;
  }
  ~FileLock() { unlock(); }
  void unlock() noexcept;
  explicit operator bool() const noexcept { return file_ != nullptr; }

 private:
  friend Result<FileLock> try_lock(const File& file, LockKind kind);
  explicit FileLock(const File& file) noexcept : file_(&file) {}

  const File* file_ = nullptr;
};

// Does not wait. Errors: Unavailable/Limit (somebody else has it), FailedPrecondition (EBADF: an
// exclusive lock needs a file open for writing, a shared one for reading).
Result<FileLock> try_lock(const File& file, LockKind kind = LockKind::Exclusive);
// Waits for it. The kernel cannot tell when a lock is free without holding a thread, so it is asked
// again, after 1 ms at first and after 100 ms at most. Cancel: the lock is not taken.
Task<Result<FileLock>> lock(const File& file, LockKind kind = LockKind::Exclusive);

}  // namespace zokio::fs
