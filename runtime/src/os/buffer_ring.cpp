// SPDX-License-Identifier: Apache-2.0
#include "os/buffer_ring.h"

#include <liburing.h>
#include <sys/mman.h>

#include <cerrno>

#include "os/ring.h"
#include "zokio/base/assert.h"

namespace zokio::os {

Result<std::unique_ptr<BufferRing>> BufferRing::open(Ring& ring, uint16_t group, unsigned count) {
  ZOKIO_CHECK(count != 0 && (count & (count - 1)) == 0 && count <= 32768, "buffers of a ring");
  std::unique_ptr<BufferRing> made(new BufferRing);
  made->count_ = count;
  void* memory = mmap(nullptr, count * sizeof(io_uring_buf), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail_errno(errno, "buffer ring");
  made->entries_ = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_ring_init(made->entries_);
  ZOKIO_CHECKED(ring.register_buffers(memory, count, group));
  return made;
}

BufferRing::~BufferRing() {
  if (entries_ != nullptr) munmap(entries_, count_ * sizeof(io_uring_buf));
}

void BufferRing::add(void* data, unsigned bytes, uint16_t id) noexcept {
  io_uring_buf_ring_add(entries_, data, bytes, id, io_uring_buf_ring_mask(count_), 0);
  io_uring_buf_ring_advance(entries_, 1);
}

}  // namespace zokio::os
