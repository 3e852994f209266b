// SPDX-License-Identifier: Apache-2.0
#pragma once

// The queue behind mpsc, mpsc_unbounded and spsc: many senders, one receiver, blocks of items.
//
//   read_block_ -> [ . . i i i ] -> [ i i i i i ] -> [ i i . . . ] <- write_block_
//                        ^ taken_                          ^ count in tail_
//
// A sender writes under the lock bit of tail_ and publishes with the unlocking store; the receiver
// takes items without a lock, up to the count it last saw, and looks at tail_ again when it runs
// out, so that a busy sender's cache line is fetched once per run of items and not per item. Blocks
// come from the frame pools and go back as they are read; one is kept in reserve. An idle channel
// owns at most two, one that was never used none.
//
// tail_, a closed list of bits below the count of items ever sent (count << kShift):
//   kBusy     a sender, the parking receiver or a closing side holds the lock
//   kParked   the receiver waits in receiver_; whoever clears the bit wakes it, once for any
//             number of items
//   kClosed   the receiver takes no more; sends fail
//   kEnded    the last sender has gone
//
// Full: a sender waits in the FIFO with a pointer to its value. Whoever makes room, the receiver
// taking an item, moves the oldest waiter's value in and wakes it; others do not overtake it. The
// receiver stores head_ and then reads senders_wait_, a sender the other way round, each with a
// full fence between, so one of them sees the other.

#include <memory>
#include <mutex>
#include <utility>

#include "zokio/base/cache_line.h"
#include "zokio/base/fence.h"
#include "zokio/mem/frame.h"
#include "zokio/sync/channel.h"

namespace zokio::sync::internal {

template <class T, bool kBounded>
class MpscQueue : Pinned {
  static_assert(alignof(T) <= 16, "channels align to 16: send a pointer instead");
  static_assert(std::is_nothrow_move_constructible_v<T>,
                "values move under a lock: give one whose move throws a unique_ptr");

 public:
  // With one sender and the receiver. `capacity` in items, at least 1.
  static MpscQueue* create(uint64_t capacity) noexcept {
    return std::construct_at(static_cast<MpscQueue*>(mem::allocate_frame(sizeof(MpscQueue))),
                             capacity);
  }
  explicit MpscQueue(uint64_t capacity) noexcept : capacity_(capacity) {}
  ~MpscQueue() {
    free_block(read_block_);
    free_block(spare_.load(std::memory_order_acquire));
  }

  // --- Senders ----------------------------------------------------------------------------------

  // Moves `value` into the queue; on Full and Closed it stays. Thread: any.
  Pushed push(T& value) noexcept {
    const uint64_t word = lock();
    if ((word & kClosed) != 0) [[unlikely]] {
      unlock(word);
      return Pushed::Closed;
    }
    if (!has_room(word)) [[unlikely]] {
      unlock(word);
      return Pushed::Full;
    }
    put(value, word >> kShift);
    task::Header* const receiver = parked(word);
    unlock((word & ~kParked) + kOne);
    if (receiver != nullptr) task::wake(receiver);
    return Pushed::Yes;
  }

  // Waits for room, for begin_wait(). False: no need to; `waiter` is marked as taken then.
  bool push_or_wait(SendWaiter<T>* waiter) noexcept;
  void cancel_send(SendWaiter<T>* waiter) noexcept;

  void add_sender() noexcept { senders_.fetch_add(1, std::memory_order_relaxed); }
  void drop_sender() noexcept;

  // --- The receiver -----------------------------------------------------------------------------

  // Whether there is an item to take.
  bool ready() noexcept {
    if (taken_ != seen_) return true;
    // Ordering: acquire pairs with unlock(): the items up to the count are there.
    seen_ = tail_.load(std::memory_order_acquire) >> kShift;
    return taken_ != seen_;
  }
  // Requires: ready().
  template <class Result>
  Result take() noexcept {
    T* const item = next_item();
    Result result(std::move(*item));
    std::destroy_at(item);
    ++taken_;
    if constexpr (kBounded) {
      head_.exchange(taken_, std::memory_order_seq_cst);
      if (senders_wait_.load(std::memory_order_seq_cst)) [[unlikely]]
        refill();
    }
    return result;
  }
  // No item will ever come. Requires: !ready().
  bool finished() const noexcept {
    const uint64_t word = tail_.load(std::memory_order_acquire);
    return (word & (kClosed | kEnded)) != 0 && word >> kShift == taken_;
  }
  // For begin_wait(). False: no need to wait.
  bool park(task::Header* receiver) noexcept {
    const uint64_t word = lock();
    if (word >> kShift != taken_ || (word & (kClosed | kEnded)) != 0) {
      unlock(word);
      return false;
    }
    receiver_ = receiver;
    unlock(word | kParked);
    return true;
  }
  void cancel_recv() noexcept {
    const uint64_t word = lock();
    task::Header* const receiver = parked(word);
    unlock(word & ~kParked);
    if (receiver != nullptr) task::wake(receiver);
  }
  // Sends fail from here on; what is in can be taken.
  void close() noexcept {
    const uint64_t word = lock();
    task::Header* const senders = take_all(first_sender_);
    senders_wait_.store(false, std::memory_order_relaxed);
    unlock(word | kClosed);
    wake_all(senders);
  }
  void drop_receiver() noexcept {
    close();
    while (ready()) static_cast<void>(take<Dropped>());
    release();
  }

 private:
  static constexpr uint64_t kBusy = 1, kParked = 2, kClosed = 4, kEnded = 8;
  static constexpr unsigned kShift = 4;
  static constexpr uint64_t kOne = uint64_t{1} << kShift;

  // Some 500 bytes, or one large item.
  static constexpr uint32_t kItems = sizeof(T) < 240 ? 496 / sizeof(T) : 1;
  struct Block {
    Block() noexcept {}
    ~Block() {}
    Block* next = nullptr;
    union {
      T items[kItems];
    };
  };
  struct Dropped {
    explicit Dropped(T&& value) noexcept : value_(std::move(value)) {}
    T value_;
  };

  static Block* new_block() noexcept {
    return std::construct_at(static_cast<Block*>(mem::allocate_frame(sizeof(Block))));
  }
  static void free_block(Block* block) noexcept {
    if (block != nullptr) mem::free_frame(block, sizeof(Block));
  }

  uint64_t lock() noexcept {
    uint64_t word = tail_.load(std::memory_order_relaxed);
    for (int spins = 0;; ++spins) {
      if ((word & kBusy) == 0 &&
          tail_.compare_exchange_weak(word, word | kBusy, std::memory_order_acquire,
                                      std::memory_order_relaxed)) [[likely]]
        return word;
      if ((word & kBusy) != 0) {
        spin_pause(spins);
        word = tail_.load(std::memory_order_relaxed);
      }
    }
  }
  void unlock(uint64_t word) noexcept { tail_.store(word, std::memory_order_release); }

  // With the lock.
  task::Header* parked(uint64_t word) const noexcept {
    return (word & kParked) != 0 ? receiver_ : nullptr;
  }
  bool has_room(uint64_t word) noexcept {
    if constexpr (!kBounded) {
      return true;
    } else {
      if (first_sender_ != nullptr) return false;
      const uint64_t count = word >> kShift;
      if (count - head_seen_ < capacity_) [[likely]]
        return true;
      // Ordering: acquire: the receiver is done with the items before.
      head_seen_ = head_.load(std::memory_order_seq_cst);
      return count - head_seen_ < capacity_;
    }
  }
  void put(T& value, uint64_t count) noexcept {
    if (write_index_ == kItems) [[unlikely]]
      add_block(count);
    std::construct_at(&write_block_->items[write_index_++], std::move(value));
  }
  [[gnu::noinline]] void add_block(uint64_t count) noexcept {
    Block* block = spare_.exchange(nullptr, std::memory_order_acq_rel);
    if (block == nullptr) block = new_block();
    block->next = nullptr;
    if (count == 0)
      read_block_ = block;
    else
      write_block_->next = block;
    write_block_ = block;
    write_index_ = 0;
  }
  // With the lock: moves values of waiting senders in while there is room; the new word.
  uint64_t refill_locked(uint64_t word, WakeList& woken) noexcept {
    head_seen_ = head_.load(std::memory_order_seq_cst);
    while (first_sender_ != nullptr && (word >> kShift) - head_seen_ < capacity_) {
      auto* sender = static_cast<SendWaiter<T>*>(take_first(first_sender_));
      put(*std::exchange(sender->value, nullptr), word >> kShift);
      word += kOne;
      woken.add(sender->self);
      if (task::Header* receiver = parked(word)) woken.add(receiver);
      word &= ~kParked;
    }
    senders_wait_.store(first_sender_ != nullptr, std::memory_order_relaxed);
    return word;
  }
  [[gnu::noinline]] void refill() noexcept {
    WakeList woken;
    unlock(refill_locked(lock(), woken));
    wake_all(woken.finish());
  }

  // The receiver's. Requires: there is one.
  T* next_item() noexcept {
    if (read_index_ == kItems) [[unlikely]]
      next_block();
    return &read_block_->items[read_index_++];
  }
  [[gnu::noinline]] void next_block() noexcept {
    Block* const old = read_block_;
    read_block_ = old->next;
    read_index_ = 0;
    free_block(spare_.exchange(old, std::memory_order_acq_rel));
  }

  void release() noexcept {
    if (sides_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    std::destroy_at(this);
    mem::free_frame(this, sizeof(MpscQueue));
  }

  // Senders; guarded by the lock, tail_ apart.
  Atomic<uint64_t> tail_{0};
  uint64_t head_seen_ = 0;  // the receiver has taken at least that many
  Block* write_block_ = nullptr;
  uint32_t write_index_ = kItems;
  Waiter* first_sender_ = nullptr;
  task::Header* receiver_ = nullptr;
  const uint64_t capacity_;
  // Any thread.
  Atomic<uint32_t> senders_{1};
  Atomic<uint32_t> sides_{2};
  [[maybe_unused]] char apart_[kCacheLine];

  // The receiver's; read_block_ is written by the first sender, before its item.
  Atomic<uint64_t> head_{0};  // how many it has taken, for the senders
  uint64_t taken_ = 0;
  uint64_t seen_ = 0;  // the count in tail_ when it last looked
  Block* read_block_ = nullptr;
  uint32_t read_index_ = 0;
  Atomic<bool> senders_wait_{false};  // written with the lock
  Atomic<Block*> spare_{nullptr};     // from the receiver to the senders
};

template <class T, bool kBounded>
bool MpscQueue<T, kBounded>::push_or_wait(SendWaiter<T>* waiter) noexcept {
  uint64_t word = lock();
  if ((word & kClosed) != 0) {
    waiter->set_taken();
    unlock(word);
    return false;
  }
  push_back(first_sender_, waiter);
  // Ordering: before the look at head_ in refill_locked(), see the file comment.
  senders_wait_.store(true, std::memory_order_relaxed);
  full_fence();
  WakeList woken;  // perhaps this task too: it has been published
  unlock(refill_locked(word, woken));
  wake_all(woken.finish());
  return true;
}

template <class T, bool kBounded>
void MpscQueue<T, kBounded>::cancel_send(SendWaiter<T>* waiter) noexcept {
  const uint64_t word = lock();
  const bool linked = waiter->linked();
  if (linked) {
    remove(first_sender_, waiter);
    senders_wait_.store(first_sender_ != nullptr, std::memory_order_relaxed);
  }
  unlock(word);
  if (linked) task::wake(waiter->self);
}

template <class T, bool kBounded>
void MpscQueue<T, kBounded>::drop_sender() noexcept {
  if (senders_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const uint64_t word = lock();
  task::Header* const receiver = parked(word);
  unlock((word & ~kParked) | kEnded);
  if (receiver != nullptr) task::wake(receiver);
  release();
}

}  // namespace zokio::sync::internal
