// SPDX-License-Identifier: Apache-2.0
#pragma once

// All reactors of a runtime: which kernel interface they use, which of them take operations, and
// where an operation goes that was started on a thread without one.
//
// An operation started on a thread that hosts an active reactor stays there; any other is sent to
// an active reactor, in turn. While no reactor is active at all, operations wait in the driver (the
// waiting room, cancellable there) and go to the next reactor that opens: nothing fails because
// of a resize. Operations that the kernel interface cannot do without blocking (files under epoll,
// opcodes that the kernel lacks) go to Executor::offload and never touch a reactor.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "io/op.h"
#include "io/op_list.h"
#include "io/reactor.h"
#include "io/resize.h"
#include "io/zero_copy.h"
#include "os/kernel.h"
#include "zokio/base/pinned.h"
#include "zokio/base/result.h"
#include "zokio/io/options.h"
#include "zokio/stats/resize_report.h"
#include "zokio/stats/snapshot.h"

namespace zokio::io {

// As many as fit the one word that says which are active.
inline constexpr unsigned kReactorSlots = 64;

inline constexpr unsigned kMinRingEntries = 32;
inline constexpr unsigned kMaxRingEntries = 4096;
inline constexpr unsigned kMinPickBuffers = 2;
inline constexpr unsigned kMaxPickBuffers = 32768;

struct DriverOptions {
  Backend backend = Backend::Auto;
  unsigned ring_entries = 256;  // of a submission queue, 32 to 4096, rounded up to a power of two
  unsigned receive_buffers = 256;  // that receives pick from, of each ring, likewise
};

class Driver : Pinned {
 public:
  // Probes the kernel and chooses. Errors: Unavailable (Uring wanted and refused, with the errno),
  // InvalidArgument (ring_entries, receive_buffers).
  static Result<std::unique_ptr<Driver>> create(DriverOptions options);
  // Requires: every reactor is closed, no operation is in flight.
  ~Driver();

  // Opens the reactor of `slot` on the calling thread, which becomes its owner, and makes it
  // active. `host` is for the statistics ("worker-0"). Does not touch task::context().
  // Errors: ResourceExhausted (descriptors, memory: the slot stays empty), FailedPrecondition
  // (open).
  Result<Reactor*> open_reactor(unsigned slot, std::string_view host);

  // Asks the reactor of `slot` to give everything away: no new operations; those that wait
  // (accept, recv, poll) are cancelled inside and issued again on another reactor when the kernel
  // says that nothing was consumed; the others (disk, connect) are awaited. Goes on in the owner's
  // turns; then drained(). Thread: any. False when the slot is not active.
  bool retire(unsigned slot) noexcept;

  // Releases the ring. Requires: reactor.drained(). Thread: its owner.
  void close_reactor(Reactor& reactor) noexcept;

  // Changes the rings of all active reactors, one after the other, and what later ones begin with.
  // Each is done by its owner between two passes; one that does not come to it by `deadline` does
  // it later, and is reported as refused. `from` and `requested` of the report are the caller's.
  // Errors: InvalidArgument (sizes); by errno (no reactor could, nothing was changed);
  // DeadlineExceeded/Stalled (no owner came to it).
  // Thread: any, one at a time, not the owner of a reactor.
  Result<ResizeReport> resize_rings(const RingRequest& request, Instant deadline);
  RingSizes ring_sizes() const noexcept {
    return {.entries = ring_entries_.load(std::memory_order_relaxed),
            .buffers = pick_buffers_.load(std::memory_order_relaxed)};
  }

  // The loop of a dedicated thread: turns until the reactor was retired and is drained, then closes
  // it. To stop the thread: retire(slot). Thread: the one that opened `reactor`.
  void run_dedicated(Reactor& reactor) noexcept;

  // Thread: any.
  Reactor& reactor(unsigned slot) noexcept { return reactors_[slot]; }
  // Bit i: slot i takes operations.
  uint64_t active() const noexcept { return active_.load(std::memory_order_acquire); }
  // What Auto became: Uring or Epoll.
  Backend backend() const noexcept { return backend_; }
  // Empty unless Auto became Epoll: "EPERM: io_uring_setup refused (...)".
  const std::string& fallback_reason() const noexcept { return fallback_reason_; }

  // Counters only grow. `reactors_desired` is the number of active reactors. Thread: any.
  IoSnapshot snapshot() const;

  // An accept waits because of `error` (EMFILE, ...). Thread: any.
  void count_accept_pause(int error) noexcept {
    accept_pauses_.add_shared();
    accept_error_.store(error, std::memory_order_relaxed);
  }
  ZeroCopyPolicy& zero_copy() noexcept { return zero_copy_; }

  // For operations and reactors. ---------------------------------------------------------------

  // Brings a published operation to where it is done. It may be gone afterwards. Thread: any.
  void submit(Op& op) noexcept;
  // Delivers the cancel request of an operation that is published and not done. Thread: any.
  void cancel(Op& op) noexcept;
  // True when `op` would block a reactor of this backend.
  bool blocks(const Op& op) const noexcept;
  // True when this backend's kernel does `opcode` of io_uring; never under epoll.
  bool native(uint8_t opcode) const noexcept {
    return backend_ == Backend::Uring && probe_.supports(opcode);
  }

 private:
  friend class Op;
  friend class Reactor;

  explicit Driver(DriverOptions options) : options_(options) {}

  void route(Op& op) noexcept;
  void offload(Op& op) noexcept;
  void admit_waiting(Reactor& reactor) noexcept;
  bool cancel_waiting(Op& op) noexcept;
  void count_blocking(const Op& op) noexcept;

  // Constant after construction.
  const DriverOptions options_;
  Backend backend_ = Backend::Epoll;
  os::UringProbe probe_;
  std::string fallback_reason_;

  std::array<Reactor, kReactorSlots> reactors_;

  // Any thread, atomic.
  std::atomic<uint64_t> active_{0};
  std::atomic<uint32_t> next_{0};
  // What a reactor that opens begins with.
  std::atomic<uint32_t> ring_entries_{256};
  std::atomic<uint32_t> pick_buffers_{256};
  // Operations on the blocking pool, by why they went there.
  stats::Counter blocking_epoll_;
  stats::Counter blocking_no_form_;
  stats::Counter blocking_no_opcode_;
  stats::Counter accept_pauses_;
  std::atomic<int> accept_error_{0};
  ZeroCopyPolicy zero_copy_;
  IoShard blocking_;  // shared writers

  // Serialises changes of the active set.
  mutable std::mutex mutex_;
  // Guarded by mutex_: operations that found no active reactor, oldest first.
  OpList room_;
  // Guarded by mutex_: names for the statistics.
  std::array<std::string, kReactorSlots> hosts_;
  std::array<std::string, kReactorSlots> features_;
};

}  // namespace zokio::io
