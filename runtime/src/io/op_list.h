// SPDX-License-Identifier: Apache-2.0
#pragma once

// A list of operations that their holder keeps, linked through Op::engine. An operation is in at
// most one. Thread: that of the list's owner.

#include "io/op.h"

namespace zokio::io {

class OpList {
 public:
  bool empty() const noexcept { return head_ == nullptr; }
  Op* front() const noexcept { return head_; }
  Op* back() const noexcept { return tail_; }

  void push_back(Op& op) noexcept {
    op.engine.next = nullptr;
    op.engine.prev = tail_;
    (tail_ != nullptr ? tail_->engine.next : head_) = &op;
    tail_ = &op;
  }

  // Requires: `op` is in this list.
  void remove(Op& op) noexcept {
    (op.engine.prev != nullptr ? op.engine.prev->engine.next : head_) = op.engine.next;
    (op.engine.next != nullptr ? op.engine.next->engine.prev : tail_) = op.engine.prev;
    op.engine.next = op.engine.prev = nullptr;
  }

  // Null when empty.
  Op* pop_front() noexcept {
    Op* op = head_;
    if (op != nullptr) remove(*op);
    return op;
  }

 private:
  Op* head_ = nullptr;
  Op* tail_ = nullptr;
};

}  // namespace zokio::io
