// SPDX-License-Identifier: Apache-2.0
#include "sched/group_admission.h"

#include <mutex>

namespace zokio::sched {

Result<bool> Admission::reserve() noexcept {
  std::scoped_lock guard(lock_);
  if (queued() == 0 && has_place()) {
    ++running_;
    return true;
  }
  if (max_queued_ != 0 && queued() >= max_queued_)
    return fail(Errc::ResourceExhausted, "max_queued", Detail::Limit);
  add_queued(1);
  return false;
}

void Admission::leave() noexcept {
  task::Header* next = nullptr;
  {
    std::scoped_lock guard(lock_);
    --running_;
    if (first_ != nullptr && has_place()) next = let_in_first();
  }
  if (next != nullptr) task::wake(next);
}

void Admission::forget() noexcept {
  std::scoped_lock guard(lock_);
  add_queued(~uint64_t{0});
}

void Admission::set(unsigned max_running, unsigned max_queued) noexcept {
  // A list through Header::next, which is free while a task is suspended.
  task::Header* woken = nullptr;
  task::Header** link = &woken;
  {
    std::scoped_lock guard(lock_);
    max_running_ = max_running;
    max_queued_ = max_queued;
    while (first_ != nullptr && has_place()) {
      *link = let_in_first();
      link = &(*link)->next;
    }
    *link = nullptr;
  }
  while (woken != nullptr) task::wake(std::exchange(woken, woken->next));
}

void Admission::link(AdmissionTurn* turn) noexcept {
  turn->prev_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = turn;
  last_ = turn;
  turn->linked_ = true;
}

void Admission::unlink(AdmissionTurn* turn) noexcept {
  (turn->prev_ != nullptr ? turn->prev_->next_ : first_) = turn->next_;
  (turn->next_ != nullptr ? turn->next_->prev_ : last_) = turn->prev_;
  turn->linked_ = false;
}

task::Header* Admission::let_in_first() noexcept {
  AdmissionTurn* turn = first_;
  unlink(turn);
  turn->let_in_ = true;
  ++running_;
  add_queued(~uint64_t{0});
  return turn->self_;
}

// --- AdmissionTurn ------------------------------------------------------------------------------

bool AdmissionTurn::await_suspend(std::coroutine_handle<> h) noexcept {
  task::Header* const self = task::suspend_current(h);
  self_ = self;
  return task::begin_wait(self, this, [this]() noexcept {
    std::scoped_lock guard(admission_.lock_);
    if (admission_.first_ == nullptr && admission_.has_place()) {
      let_in_ = true;
      ++admission_.running_;
      admission_.add_queued(~uint64_t{0});
      return false;
    }
    admission_.link(this);
    return true;
  });
}

bool AdmissionTurn::await_resume() noexcept {
  task::end_wait(self_);
  // Whoever let it in is done with it; nobody else would now.
  if (!let_in_) admission_.forget();
  return let_in_;
}

void AdmissionTurn::interrupt(Wait* base) noexcept {
  auto* turn = static_cast<AdmissionTurn*>(base);
  {
    std::scoped_lock guard(turn->admission_.lock_);
    if (!turn->linked_) return;
    turn->admission_.unlink(turn);
  }
  task::wake(turn->self_);
}

}  // namespace zokio::sched
