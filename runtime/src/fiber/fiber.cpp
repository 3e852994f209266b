// SPDX-License-Identifier: Apache-2.0
// The switch is Boost.Context's: it saves the callee-saved registers and the floating-point control
// words, about ten instructions. Everything else that belongs to a thread and has to follow the
// fiber is here: the caught exceptions, the sanitizers' idea of the stack, and "which fiber is it".
//
// On the fiber's side the thread may be another one after each switch, so nothing of the thread is
// kept in a variable across it. On the worker's side it is always the same.

#include <cxxabi.h>

#include <boost/context/detail/fcontext.hpp>
#include <utility>

#include "fiber/overflow.h"
#include "fiber/sanitizer.h"
#include "fiber/stack_pool.h"
#include "fiber/thread.h"
#include "zokio/base/assert.h"

namespace zokio::fibers {

namespace context = boost::context::detail;

namespace {
constinit thread_local ThreadState state_of_thread;
}

[[gnu::noinline]] ThreadState& thread_state() noexcept {
  ThreadState* address = &state_of_thread;
  asm volatile("" : "+r"(address) : : "memory");
  return *address;
}

// The same, with one call less, because every fiber_await asks.
[[gnu::noinline]] Fiber* Fiber::current() noexcept {
  const ThreadState* address = &state_of_thread;
  asm volatile("" : "+r"(address) : : "memory");
  return address->current;
}

// The bottom of every fiber.
struct Fiber::Entry {
  static void main(context::transfer_t from) {
    auto* self = static_cast<Fiber*>(from.data);
    self->caller_ = from.fctx;
    self->arrived();
    self->body_(self->call_);
    self->ended_ = true;
    self->switch_out();
    ZOKIO_PANIC("a fiber was entered after its end");
  }
};

Fiber::~Fiber() {
  ZOKIO_CHECK(stack_ == nullptr, "a fiber is destroyed before its end: its task was not run out");
}

Result<void> Fiber::start() noexcept {
  ZOKIO_TRY(stack_, stack_pool().acquire(options_.stack_bytes));
  watch_for_overflow();
  context_ = context::make_fcontext(stack_->top(), stack_->bytes, &Entry::main);
  tsan_fiber_ = sanitizer::tsan_create();
  return {};
}

bool Fiber::resume() noexcept {
  ThreadState& thread = thread_state();
  if (thread.exceptions == nullptr) {
    prepare_signal_stack();
    thread.exceptions = reinterpret_cast<Exceptions*>(abi::__cxa_get_globals());
  }
  Fiber* const outer = std::exchange(thread.current, this);
  swap_exceptions(*thread.exceptions);
  switch_in();
  swap_exceptions(*thread.exceptions);
  thread.current = outer;
  if (!ended_) return false;
  sanitizer::tsan_destroy(tsan_fiber_);
  stack_pool().release(std::exchange(stack_, nullptr));
  return true;
}

inline void Fiber::switch_in() noexcept {
  void* fake_stack = nullptr;
  tsan_caller_ = sanitizer::tsan_current();
  sanitizer::asan_leaving(&fake_stack, stack_->bottom(), stack_->bytes);
  sanitizer::tsan_leaving(tsan_fiber_);
  context_ = context::jump_fcontext(context_, this).fctx;
  sanitizer::asan_arrived(fake_stack, nullptr, nullptr);
}

inline void Fiber::switch_out() noexcept {
  sanitizer::asan_leaving(ended_ ? nullptr : &fake_stack_, caller_bottom_, caller_bytes_);
  sanitizer::tsan_leaving(tsan_caller_);
  caller_ = context::jump_fcontext(caller_, nullptr).fctx;
  arrived();
}

inline void Fiber::arrived() noexcept {
  sanitizer::asan_arrived(fake_stack_, &caller_bottom_, &caller_bytes_);
}

void Fiber::wait(Wait wait) noexcept {
  wait_ = wait;
  switch_out();
}

inline void Fiber::swap_exceptions(Exceptions& of_thread) noexcept {
  std::swap(of_thread.caught, caught_exceptions_);
  std::swap(of_thread.uncaught, uncaught_exceptions_);
}

bool Fiber::guards(const void* address) const noexcept {
  const auto* at = static_cast<const std::byte*>(address);
  return stack_ != nullptr && at >= stack_->mapping && at < stack_->bottom();
}

std::size_t Fiber::stack_bytes() const noexcept {
  return stack_ != nullptr ? stack_->bytes : 0;
}

}  // namespace zokio::fibers
