// SPDX-License-Identifier: Apache-2.0
#pragma once

// A ring of buffers that io_uring picks from when something has come: a receive that waits holds no
// memory. Linux 5.19. Thread: that of the io_uring.

#include <sys/uio.h>

#include <cstdint>
#include <memory>

#include "zokio/base/pinned.h"
#include "zokio/base/result.h"

struct io_uring_buf_ring;

namespace zokio::os {

class Ring;

class BufferRing : Pinned {
 public:
  // With no buffer in it. `count` is a power of two, at most 32768; `group` is what entries name.
  // Errors: by errno (EINVAL before Linux 5.19).
  static Result<std::unique_ptr<BufferRing>> open(Ring& ring, uint16_t group, unsigned count);
  ~BufferRing();

  // The kernel may write there until a completion has named `id`, or the Ring is gone.
  // Requires: at most `count` buffers are in it.
  void add(void* data, unsigned bytes, uint16_t id) noexcept;

 private:
  BufferRing() = default;

  io_uring_buf_ring* entries_ = nullptr;
  unsigned count_ = 0;
};

}  // namespace zokio::os
