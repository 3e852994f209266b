// SPDX-License-Identifier: Apache-2.0
#pragma once

// One io_uring: submission entries, completions, and the one system call between them.
// Confines liburing. Thread: the one that opened it, for everything (SINGLE_ISSUER).

#include <liburing.h>

#include <memory>
#include <string>

#include "zokio/base/clock.h"
#include "zokio/base/pinned.h"
#include "zokio/base/result.h"

namespace zokio::os {

// Rings are asked for with these flags, best first; the first that the kernel takes is used.
// Every level needs NODROP, EXT_ARG and FAST_POLL, which came with Linux 5.11.
struct RingOptions {
  unsigned entries = 256;
  unsigned setup_flags = 0;  // 0: walk the ladder
};

class Ring : Pinned {
 public:
  // Errors: with the errno of io_uring_setup. ENOMEM halves the entries, down to 32, before it is
  // reported; EINVAL goes down the ladder.
  static Result<std::unique_ptr<Ring>> open(RingOptions options);
  ~Ring();

  // A zeroed entry that goes to the kernel with the next enter(); null when the queue is full.
  io_uring_sqe* next_entry() noexcept;
  unsigned unsubmitted() const noexcept;

  // Hands all entries to the kernel, runs its deferred work, and with `wait` sleeps until there is
  // a completion or `deadline`. Returns 0 or the -errno of the call; -ETIME and -EINTR are normal.
  int enter(bool wait, Instant deadline) noexcept;

  // Changes the number of entries of both queues; what is in flight is not touched (Linux 6.13,
  // with DEFER_TASKRUN). 0 or -errno, and nothing has changed: -EINVAL: not here; -EOVERFLOW: more
  // completions are to be fetched than the new queue would hold. Requires: unsubmitted() == 0.
  int resize(unsigned entries) noexcept;
  // From now on whatever completes also rings `eventfd`. 0 or -errno.
  int announce(int eventfd) noexcept;

  // Pins `bytes` at `start`, as buffer 0 of the ring. 0 or -errno. Requires: not done before.
  int register_buffer(void* start, std::size_t bytes) noexcept;

  // True when enter() would fetch something although nothing is to be submitted.
  bool has_work() const noexcept;
  // True while the kernel keeps completions that did not fit the queue.
  bool overflowed() const noexcept;

  struct Completion {
    uint64_t user_data = 0;
    int32_t result = 0;
    uint32_t flags = 0;
    bool has_buffer() const noexcept { return (flags & IORING_CQE_F_BUFFER) != 0; }
    // Another one for the same entry will come.
    bool has_more() const noexcept { return (flags & IORING_CQE_F_MORE) != 0; }
    // The memory that was sent is free again.
    bool is_notification() const noexcept { return (flags & IORING_CQE_F_NOTIF) != 0; }
    uint16_t buffer() const noexcept {
      return static_cast<uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
    }
  };
  // Takes the oldest completion. False when there is none.
  bool next_completion(Completion& out) noexcept;
  // The user data of the completion that stands `ahead` behind the oldest; `none` if there is no
  // such one yet.
  uint64_t completion_ahead(unsigned ahead, uint64_t none) const noexcept;

  // `memory` is a ring of `count` buffers (os/buffer_ring.h). Errors: by errno.
  Result<void> register_buffers(void* memory, unsigned count, uint16_t group) noexcept;
  // Requires: nothing in flight names `group`.
  void forget_buffers(uint16_t group) noexcept;

  unsigned entries() const noexcept { return ring_.sq.ring_entries; }
  unsigned completion_entries() const noexcept { return ring_.cq.ring_entries; }
  unsigned setup_flags() const noexcept { return ring_.flags; }
  // "single_issuer,defer_taskrun,..."
  std::string features() const;
  int fd() const noexcept { return ring_.ring_fd; }

 private:
  Ring() = default;
  unsigned flush() noexcept;
  void unmap_queues() noexcept;

  io_uring ring_{};
  bool open_ = false;
};

}  // namespace zokio::os
