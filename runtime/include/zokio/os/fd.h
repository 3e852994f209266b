// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

namespace zokio::os {

// Owns a descriptor: closes it once. Thread: as any value.
class Fd {
 public:
  Fd() noexcept = default;
  // Takes over `fd`; negative means none.
  explicit Fd(int fd) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }

  explicit operator bool() const noexcept { return fd_ >= 0; }
  int get() const noexcept { return fd_; }
  // Gives it up without closing.
  [[nodiscard]] int release() noexcept;
  // Closes it now. EBADF would mean that somebody else closed it, and aborts.
  void reset() noexcept;

 private:
  int fd_ = -1;
};

}  // namespace zokio::os
