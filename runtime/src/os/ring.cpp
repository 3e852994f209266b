// SPDX-License-Identifier: Apache-2.0
#include "os/ring.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "zokio/base/assert.h"

namespace zokio::os {
namespace {

constexpr unsigned kBase = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
constexpr unsigned kOwner = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER;
// Newest kernel first: 6.1, 6.0, 5.19, 5.18, 5.11.
constexpr std::array<unsigned, 5> kLadder = {
    kBase | kOwner | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    kBase | kOwner | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    kBase | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    kBase | IORING_SETUP_SUBMIT_ALL,
    kBase,
};
constexpr unsigned kNeeded = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL;
constexpr unsigned kMinEntries = 32;
// Completions wait here between two turns; 16 bytes each. Waiting operations are not limited by it
// (NODROP keeps what does not fit), so it only has to make overflow rare.
constexpr unsigned kMinCompletions = 4096;

// A sleep without this counts as iowait of the machine (Linux 6.15).
constexpr unsigned kFeatureNoIowait = 1u << 17;
constexpr unsigned kEnterNoIowait = 1u << 7;

// Not in the headers of liburing 2.3.
constexpr unsigned kRegisterResizeRings = 33;

unsigned completions_for(unsigned entries) noexcept {
  return std::max(kMinCompletions, 4 * entries);
}

unsigned load_acquire(const unsigned* word) noexcept {
  return std::atomic_ref<unsigned>(*const_cast<unsigned*>(word)).load(std::memory_order_acquire);
}

unsigned load_relaxed(const unsigned* word) noexcept {
  return std::atomic_ref<unsigned>(*const_cast<unsigned*>(word)).load(std::memory_order_relaxed);
}

// Where the kernel puts the array of the submission queue.
unsigned behind_completions(unsigned cqes, unsigned entries) noexcept {
  constexpr unsigned kLine = 64;
  const unsigned end = cqes + entries * unsigned{sizeof(io_uring_cqe)};
  return (end + kLine - 1) / kLine * kLine;
}

int set_up(io_uring& ring, unsigned entries, unsigned flags) noexcept {
  io_uring_params params{};
  params.flags = flags;
  params.cq_entries = completions_for(entries);
  const int rc = io_uring_queue_init_params(entries, &ring, &params);
  if (rc < 0) return rc;
  if ((ring.features & kNeeded) != kNeeded) {
    io_uring_queue_exit(&ring);
    return -ENOSYS;
  }
  return 0;
}

int walk_ladder(io_uring& ring, RingOptions options) noexcept {
  int rc = -EINVAL;
  for (unsigned entries = options.entries; entries >= kMinEntries; entries /= 2) {
    if (options.setup_flags != 0) {
      rc = set_up(ring, entries, options.setup_flags);
    } else {
      for (unsigned flags : kLadder) {
        rc = set_up(ring, entries, flags);
        if (rc != -EINVAL) break;
      }
    }
    if (rc != -ENOMEM) break;
  }
  return rc;
}

}  // namespace

Result<std::unique_ptr<Ring>> Ring::open(RingOptions options) {
  std::unique_ptr<Ring> ring(new Ring());
  const int rc = walk_ladder(ring->ring_, options);
  if (rc < 0) return fail_errno(-rc, "io_uring_setup");
  ring->open_ = true;
  // A child of fork() must not write into the rings of its parent. Best effort.
  io_uring_ring_dontfork(&ring->ring_);
  // The kernel's threads for operations that block, per ring: disk, and the rest. The default grows
  // with the machine, and they count against the pids limit of a container. By feel: enough to keep
  // a disk busy. Kernels before 5.15 refuse, and keep their default.
  unsigned workers[2] = {8, 8};
  io_uring_register_iowq_max_workers(&ring->ring_, workers);
  return ring;
}

Ring::~Ring() {
  if (open_) io_uring_queue_exit(&ring_);
}

io_uring_sqe* Ring::next_entry() noexcept {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry != nullptr) std::memset(entry, 0, sizeof *entry);
  return entry;
}

unsigned Ring::unsubmitted() const noexcept {
  // What was filled, and what an earlier enter() did not get rid of.
  return (ring_.sq.sqe_tail - ring_.sq.sqe_head) +
         (load_relaxed(ring_.sq.ktail) - load_acquire(ring_.sq.khead));
}

unsigned Ring::flush() noexcept {
  io_uring_sq& sq = ring_.sq;
  unsigned tail = load_relaxed(sq.ktail);
  while (sq.sqe_head != sq.sqe_tail) {
    sq.array[tail & sq.ring_mask] = sq.sqe_head & sq.ring_mask;
    ++tail;
    ++sq.sqe_head;
  }
  // Ordering: release; pairs with the kernel's acquire of the tail.
  std::atomic_ref<unsigned>(*sq.ktail).store(tail, std::memory_order_release);
  return tail - load_acquire(sq.khead);
}

int Ring::enter(bool wait, Instant deadline) noexcept {
  const unsigned to_submit = flush();
  unsigned flags = IORING_ENTER_GETEVENTS;
  __kernel_timespec timeout{};
  io_uring_getevents_arg arg{};
  const bool timed = wait && !deadline.is_never();
  if (timed) {
    const int64_t left = std::max<int64_t>(0, (deadline - Instant::now()).count());
    timeout = {.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
    arg.sigmask_sz = _NSIG / 8;
    arg.ts = reinterpret_cast<uintptr_t>(&timeout);
    flags |= IORING_ENTER_EXT_ARG;
  }
  if (wait && (ring_.features & kFeatureNoIowait) != 0) flags |= kEnterNoIowait;
  const int rc = io_uring_enter2(
      static_cast<unsigned>(ring_.enter_ring_fd), to_submit, wait ? 1 : 0, flags,
      timed ? reinterpret_cast<sigset_t*>(&arg) : nullptr, timed ? sizeof arg : _NSIG / 8);
  return rc < 0 ? rc : 0;
}

int Ring::resize(unsigned entries) noexcept {
  ZOKIO_DCHECK(unsubmitted() == 0, "a ring is resized with nothing to submit");
  // Where the array of indices would be after it; other layouts are not known here.
  const auto* base = static_cast<const char*>(ring_.sq.ring_ptr);
  const auto cqes = static_cast<unsigned>(reinterpret_cast<const char*>(ring_.cq.cqes) - base);
  if (reinterpret_cast<const char*>(ring_.sq.array) - base !=
      behind_completions(cqes, ring_.cq.ring_entries))
    return -EINVAL;
  io_uring_params params{};
  params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.sq_entries = entries;
  params.cq_entries = completions_for(entries);
  const int rc =
      io_uring_register(static_cast<unsigned>(ring_.ring_fd), kRegisterResizeRings, &params, 1);
  if (rc < 0) return rc;
  // From here on the kernel uses the new queues only, so there is no way back.
  params.features = ring_.features;
  // Not said here, other than when a ring is made: behind the completions, on a line of its own.
  if (params.sq_off.array == 0)
    params.sq_off.array = behind_completions(params.cq_off.cqes, params.cq_entries);
  io_uring fresh{};
  int mapped = io_uring_queue_mmap(ring_.ring_fd, &params, &fresh);
  unmap_queues();
  // The old ones gave their room back.
  if (mapped < 0) mapped = io_uring_queue_mmap(ring_.ring_fd, &params, &fresh);
  if (mapped < 0) ZOKIO_PANIC("no address space for the queues of a ring");
  fresh.sq.sqe_head = ring_.sq.sqe_head;
  fresh.sq.sqe_tail = ring_.sq.sqe_tail;
  fresh.sq.ring_mask = load_relaxed(fresh.sq.kring_mask);
  fresh.sq.ring_entries = load_relaxed(fresh.sq.kring_entries);
  fresh.cq.ring_mask = load_relaxed(fresh.cq.kring_mask);
  fresh.cq.ring_entries = load_relaxed(fresh.cq.kring_entries);
  ring_.sq = fresh.sq;
  ring_.cq = fresh.cq;
  io_uring_ring_dontfork(&ring_);
  return 0;
}

void Ring::unmap_queues() noexcept {
  munmap(ring_.sq.sqes, ring_.sq.ring_entries * sizeof(io_uring_sqe));
  munmap(ring_.sq.ring_ptr, ring_.sq.ring_sz);
  if (ring_.cq.ring_ptr != nullptr && ring_.cq.ring_ptr != ring_.sq.ring_ptr)
    munmap(ring_.cq.ring_ptr, ring_.cq.ring_sz);
}

int Ring::announce(int eventfd) noexcept {
  return io_uring_register_eventfd(&ring_, eventfd);
}

int Ring::register_buffer(void* start, std::size_t bytes) noexcept {
  const iovec range{start, bytes};
  return io_uring_register_buffers(&ring_, &range, 1);
}

bool Ring::has_work() const noexcept {
  if (load_acquire(ring_.cq.ktail) != load_relaxed(ring_.cq.khead)) return true;
  const unsigned flags = load_relaxed(ring_.sq.kflags);
  if ((flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0) return true;
  // Without TASKRUN_FLAG the kernel interrupts us by itself.
  return false;
}

bool Ring::overflowed() const noexcept {
  return (load_relaxed(ring_.sq.kflags) & IORING_SQ_CQ_OVERFLOW) != 0;
}

Result<void> Ring::register_buffers(void* memory, unsigned count, uint16_t group) noexcept {
  io_uring_buf_reg reg{};
  reg.ring_addr = reinterpret_cast<uintptr_t>(memory);
  reg.ring_entries = count;
  reg.bgid = group;
  const int rc = io_uring_register_buf_ring(&ring_, &reg, 0);
  if (rc != 0) return fail_errno(-rc, "buffer ring");
  return {};
}

void Ring::forget_buffers(uint16_t group) noexcept {
  io_uring_unregister_buf_ring(&ring_, group);
}

bool Ring::next_completion(Completion& out) noexcept {
  const unsigned head = load_relaxed(ring_.cq.khead);
  if (head == load_acquire(ring_.cq.ktail)) return false;
  const io_uring_cqe& entry = ring_.cq.cqes[head & ring_.cq.ring_mask];
  out = {entry.user_data, entry.res, entry.flags};
  // Ordering: release gives the entry back to the kernel after it was read.
  std::atomic_ref<unsigned>(*ring_.cq.khead).store(head + 1, std::memory_order_release);
  return true;
}

uint64_t Ring::completion_ahead(unsigned ahead, uint64_t none) const noexcept {
  const unsigned head = load_relaxed(ring_.cq.khead);
  if (load_acquire(ring_.cq.ktail) - head <= ahead) return none;
  return ring_.cq.cqes[(head + ahead) & ring_.cq.ring_mask].user_data;
}

std::string Ring::features() const {
  static constexpr std::array<std::pair<unsigned, std::string_view>, 5> kNames = {{
      {IORING_SETUP_SINGLE_ISSUER, "single_issuer"},
      {IORING_SETUP_DEFER_TASKRUN, "defer_taskrun"},
      {IORING_SETUP_COOP_TASKRUN, "coop_taskrun"},
      {IORING_SETUP_TASKRUN_FLAG, "taskrun_flag"},
      {IORING_SETUP_SUBMIT_ALL, "submit_all"},
  }};
  std::string out;
  for (const auto& [flag, name] : kNames) {
    if ((ring_.flags & flag) == 0) continue;
    if (!out.empty()) out += ',';
    out += name;
  }
  if ((ring_.features & kFeatureNoIowait) != 0) out += out.empty() ? "no_iowait" : ",no_iowait";
  return out;
}

}  // namespace zokio::os
