// SPDX-License-Identifier: Apache-2.0
#pragma once

// What other threads ask of a reactor: an intrusive many-to-one queue that can be closed.
//
// A stack of messages whose head is exchanged as a whole, so there is no ABA problem; the owner
// reverses what it took. A closed inbox refuses messages, and closing succeeds only while it is
// empty, so nothing is ever left in one that nobody reads.
// Thread: push any; the rest the owner's.

#include <cstdint>

#include "zokio/base/atomic.h"
#include "zokio/base/pinned.h"

namespace zokio::io {

class Op;

// A request about an operation, which holds it: in at most one inbox at a time.
struct Message {
  enum class Kind : uint8_t { Start, Cancel, Resize };

  Message(Kind k, Op* o) noexcept : kind(k), op(o) {}

  Message* next = nullptr;
  Kind kind;
  Op* op;
};

class Inbox : Pinned {
 public:
  // False when it is closed: the message was not taken.
  bool push(Message* message) noexcept {
    // Ordering: acquire; pairs with the release in try_close, so that who is refused sees what the
    // owner did before it closed (it moved operations elsewhere).
    Message* head = head_.load(std::memory_order_acquire);
    do {
      if (head == closed()) return false;
      message->next = head;
      // Ordering: release publishes the message; pairs with the acquire in take().
    } while (!head_.compare_exchange_weak(head, message, std::memory_order_release,
                                          std::memory_order_acquire));
    return true;
  }

  // All messages, oldest first; null when there are none.
  Message* take() noexcept {
    Message* seen = head_.load(std::memory_order_relaxed);
    if (seen == nullptr || seen == closed()) return nullptr;
    Message* newest = head_.exchange(nullptr, std::memory_order_acquire);
    Message* oldest = nullptr;
    while (newest != nullptr) {
      Message* next = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = next;
    }
    return oldest;
  }

  bool empty() const noexcept { return head_.load(std::memory_order_acquire) == nullptr; }

  // Closes it if it is empty.
  bool try_close() noexcept {
    Message* none = nullptr;
    return head_.compare_exchange_strong(none, closed(), std::memory_order_acq_rel);
  }
  // Requires: closed.
  void open() noexcept { head_.store(nullptr, std::memory_order_release); }

 private:
  static Message* closed() noexcept { return reinterpret_cast<Message*>(uintptr_t{1}); }

  Atomic<Message*> head_{closed()};
};

}  // namespace zokio::io
