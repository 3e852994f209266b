// SPDX-License-Identifier: Apache-2.0
#pragma once

// An operation in flight: what is asked of the kernel, who waits for it, and its one result.
//
// It is its own awaiter: a coroutine keeps it in its frame and says `co_await op`. The kernel never
// sees its address (user_data is an index and a generation of the reactor's OpTable), but it does
// see the memory that the operation owns, so an operation is not destroyed while it is in flight;
// the destructor checks that. A task's frame is never destroyed while it is suspended here.
//
// The life of an operation, in bits of one word:
//
//     (0) --link--> [CancelRequested] -----------------------> not started, Cancelled
//      |
//      +--publish--> Published --kernel's completion--> Done --> the task is woken
//                        |                               ^
//                        +--cancel--> + CancelPending ---+   woken by the later of the two:
//                                     (a message is in        the completion, and the reading of
//                                      an inbox)              the message
//
// A cancel is a request, on any thread: it travels to the reactor that holds the operation, which
// asks the kernel; the operation ends when the kernel says how it ended. It may still succeed.
// Each operation is one file in io/ops/ with both forms: encode() for io_uring; interest() and
// attempt() for epoll, where attempt() of a file operation runs on the blocking pool.

#include <atomic>
#include <cerrno>
#include <coroutine>
#include <cstdint>

#include "io/inbox.h"
#include "zokio/mem/buffer.h"
#include "zokio/task/executor.h"
#include "zokio/task/wait.h"

struct io_uring_sqe;

namespace zokio::io {

class Driver;
class Reactor;

enum class OpKind : uint8_t {
  Read,
  Write,
  Recv,
  Send,
  Accept,
  Connect,
  Poll,
  Open,
  Close,
  Fsync,
  Statx,
  Rename,
  Unlink,
  Mkdir,
  ReadDir,
  Map,
  Fallocate,
  Truncate,
  Splice,
  WaitId,
  Link,
};
inline constexpr unsigned kOpKinds = 21;
// "read", "write", ... as in the statistics.
const char* op_name(OpKind kind) noexcept;

inline constexpr uint32_t kNoOpSlot = UINT32_MAX;

// Whether an operation may be had from the page cache, and how much it is. Small: two of them cost
// less through one system call of a ring than by themselves; large: copying the bytes is most of
// it.
enum class Cached : uint8_t { No, Small, Large };

// What an operation is, fixed by its type.
struct OpTraits {
  OpKind kind;
  uint8_t opcode = 0;          // of io_uring; 0 (NOP): has no such form
  short interest = 0;          // POLLIN or POLLOUT; 0: never waits for readiness (files)
  bool reissue = false;        // after -ECANCELED from the kernel it can be issued again elsewhere
  bool cancellable = true;     // false: a cancel of the task does not concern it (close)
  bool counts_bytes = false;   // the result is a number of bytes
  bool stream = false;         // of a connected stream socket: see Op::would_block_next
  bool picks_buffer = false;   // under io_uring the kernel picks one; see Op::picked
  bool notified = false;       // two completions: the result, and that the memory is free again
  Cached cached = Cached::No;  // see Op::attempt_cached
};

class Op : private task::Wait {
 public:
  virtual ~Op();

  // Awaiting. Requires: a task of a runtime with a driver. Cancel: see above.
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> h) noexcept;
  void await_resume() noexcept { task::end_wait(task_); }

  // After the await: >= 0, or -errno; -ECANCELED when it was cancelled or never ran.
  int64_t result() const noexcept { return result_; }

  // The io_uring form. `entry` is zeroed; user_data is set by the engine. Thread: owner.
  virtual void encode(io_uring_sqe& entry) noexcept = 0;
  // The epoll form: tries once and returns what a completion would; -EAGAIN: wait for interest().
  // Without interest it may block. Thread: owner, or a blocking thread.
  virtual int64_t attempt() noexcept = 0;
  // What the page cache has of it, without waiting for a disk; -EAGAIN: not all, nothing has
  // happened. Requires: traits().cached. Thread: owner.
  virtual int64_t attempt_cached() noexcept { return -EAGAIN; }
  // The buffer that the kernel picked, before the end. Requires: traits().picks_buffer.
  virtual void picked(mem::Buffer) noexcept {}
  // Both requires traits().notified. The result, which is delivered when the memory is free again;
  // and then, with what the kernel says of how it was sent.
  virtual void promised(int64_t) noexcept {}
  virtual int64_t settled(uint32_t) noexcept { return 0; }
  // After promised(): the memory that the kernel still reads, in exchange for a copy of it, so that
  // the operation can end now. Empty: it cannot.
  virtual mem::Buffer hand_over() noexcept { return {}; }
  // The descriptor that interest() is about. Requires: interest() != 0.
  virtual int poll_fd() const noexcept { return -1; }
  // Of a stream: true when the same again would block, by what this one transferred: less than
  // there was room for. (Datagrams and the like are shorter than their buffers without that.)
  virtual bool would_block_next(int64_t result) const noexcept { return result == -EAGAIN; }

  OpKind kind() const noexcept { return traits_.kind; }
  uint8_t opcode() const noexcept { return traits_.opcode; }
  short interest() const noexcept { return interest_; }
  const OpTraits& traits() const noexcept { return traits_; }

  // Fetches ahead into the caches what its end will touch: itself, then its task, then the frame
  // that resumes; each needs the one before to be there. Thread: owner.
  void prefetch() const noexcept { fetch_lines(this, sizeof(Op) + kOperands); }
  void prefetch_task() const noexcept { fetch_lines(task_, sizeof *task_ + kLine); }
  void prefetch_frame() const noexcept { fetch_lines(task_->resume_point.address(), 2 * kLine); }

 protected:
  explicit Op(OpTraits traits) noexcept
      : Wait(wait_ops(traits.kind)), traits_(traits), interest_(traits.interest) {}

  // For kinds whose interest depends on the object (a read of a file or of a pipe).
  void set_interest(short interest, bool reissue) noexcept {
    interest_ = interest;
    traits_.reissue = reissue;
  }

 private:
  static constexpr std::size_t kLine = 64;
  static constexpr std::size_t kOperands = 64;  // what most kinds add
  static void fetch_lines(const void* from, std::size_t bytes) noexcept {
    const char* at = static_cast<const char*>(from);
    for (std::size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(at + i, 1);
  }

  friend class Driver;
  friend class OpTable;
  friend class Reactor;

  enum StateBits : uint32_t {
    kPublished = 1,  // a reactor, the blocking pool or the waiting room has it
    kCancelRequested = 2,
    kCancelPending = 4,  // cancel_message_ is on its way
    kDone = 8,           // result_ is final
    kBlocking = 16,      // on the blocking pool: nobody to deliver a cancel to
  };

  // One for each kind, so that a task dump says "read" and not "io".
  static const task::WaitOps* wait_ops(OpKind kind) noexcept;
  static void interrupt(task::Wait* base) noexcept;
  static void run_blocking(task::OffloadJob* job) noexcept;

  // One function for each change of state_. --------------------------------------------------
  // False: it was cancelled before, and nobody else knows the operation.
  [[nodiscard]] bool publish(bool blocking) noexcept;
  // True: the caller has to deliver the cancel.
  [[nodiscard]] bool request_cancel() noexcept;
  // Result is final. Wakes the task unless a cancel message is on its way.
  void finish(int64_t result) noexcept;
  // The cancel message was read. Wakes the task if the result is final.
  void cancel_delivered() noexcept;
  bool blocking() const noexcept {
    return (state_.load(std::memory_order_acquire) & kBlocking) != 0;
  }
  bool done() const noexcept { return (state_.load(std::memory_order_acquire) & kDone) != 0; }
  bool cancel_requested() const noexcept {
    return (state_.load(std::memory_order_acquire) & kCancelRequested) != 0;
  }

  struct Job : task::OffloadJob {
    Op* op = nullptr;
  };

  // Constant after publication.
  OpTraits traits_;
  short interest_;
  task::Header* task_ = nullptr;
  Driver* driver_ = nullptr;
  int64_t start_ns_ = 0;

  // Any thread, atomic.
  std::atomic<uint32_t> state_{0};
  // Who holds it; null: the waiting room or the blocking pool. Changed by the holder only.
  // Ordering: release when it moves; pairs with the acquire in Driver::cancel.
  std::atomic<Reactor*> owner_{nullptr};

  // Each in at most one inbox.
  Message start_message_{Message::Kind::Start, this};
  Message cancel_message_{Message::Kind::Cancel, this};
  Job job_;

  // The holder's.
  int64_t result_ = -ECANCELED;  // what it is until it has run
  uint32_t slot_ = kNoOpSlot;    // in the reactor's OpTable
  bool in_room_ = false;         // guarded by the driver's mutex
  bool cancel_seen_ = false;     // the cancel message arrived
  bool evicting_ = false;        // cancelled inside, to be issued elsewhere

 public:
  // The engine's, while it has the operation.
  struct EngineState {
    Op* next = nullptr;
    Op* prev = nullptr;
    uint8_t phase = 0;
    uint8_t retries = 0;
    uint8_t lane = 0;     // io_uring: the ring that has it
    uint8_t group = 0;    // io_uring: the buffers that it picks from
    bool moving = false;  // io_uring: cancelled inside, to be submitted to the ring in use
  } engine;
};

}  // namespace zokio::io
