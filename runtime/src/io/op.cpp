// SPDX-License-Identifier: Apache-2.0
#include "io/op.h"

#include <array>
#include <cerrno>
#include <utility>

#include "base/env.h"
#include "io/driver.h"
#include "io/reactor.h"
#include "zokio/base/assert.h"

namespace zokio::io {

namespace {

// By OpKind.
constexpr std::array<const char*, kOpKinds> kNames{
    "read",     "write", "recv",      "send",     "accept", "connect", "poll",
    "open",     "close", "fsync",     "statx",    "rename", "unlink",  "mkdir",
    "read_dir", "map",   "fallocate", "truncate", "splice", "waitid",  "link"};
static_assert(static_cast<unsigned>(OpKind::Link) == kOpKinds - 1);

}  // namespace

const char* op_name(OpKind kind) noexcept {
  return kNames[static_cast<unsigned>(kind)];
}

Op::~Op() {
  const uint32_t state = state_.load(std::memory_order_acquire);
  ZOKIO_CHECK((state & kPublished) == 0 || (state & (kDone | kCancelPending)) == kDone,
              "an operation was destroyed while the kernel may use its memory");
}

bool Op::await_suspend(std::coroutine_handle<> h) noexcept {
  ZOKIO_CHECK(state_.load(std::memory_order_relaxed) == 0, "an operation is awaited once");
  task_ = task::suspend_current(h);
  driver_ = task::context().driver;
  ZOKIO_CHECK(driver_ != nullptr, "I/O outside a runtime: no driver on this thread");
  start_ns_ = env::now_ns();
  const auto start = [this]() noexcept {
    Reactor* here = task::context().reactor;
    if ((interest_ != 0 || traits_.cached != Cached::No) && here != nullptr &&
        task::consume_budget() && here->try_now(*this))
      return false;
    if (!publish(driver_->blocks(*this))) return false;
    // The frame may be gone from here on.
    driver_->submit(*this);
    return true;
  };
  return traits_.cancellable ? task::begin_wait(task_, this, start) : start();
}

const task::WaitOps* Op::wait_ops(OpKind kind) noexcept {
  static constexpr auto kOps = []<std::size_t... I>(std::index_sequence<I...>) {
    return std::array{task::WaitOps{&interrupt, kNames[I]}...};
  }(std::make_index_sequence<kOpKinds>());
  return &kOps[static_cast<unsigned>(kind)];
}

void Op::interrupt(task::Wait* base) noexcept {
  auto& op = *static_cast<Op*>(base);
  if (op.request_cancel()) op.driver_->cancel(op);
}

void Op::run_blocking(task::OffloadJob* job) noexcept {
  Op& op = *static_cast<Job*>(job)->op;
  const int64_t result = op.cancel_requested() ? -ECANCELED : op.attempt();
  Driver& driver = *op.driver_;
  const auto took = static_cast<uint64_t>(env::now_ns() - op.start_ns_);
  driver.count_blocking(op);
  driver.blocking_.record_shared(op.traits_, result, took);
  op.finish(result);
}

bool Op::publish(bool blocking) noexcept {
  // Ordering: release publishes task_ and driver_ to a canceller; pairs with request_cancel.
  const uint32_t before =
      state_.fetch_or(blocking ? kPublished | kBlocking : kPublished, std::memory_order_acq_rel);
  if ((before & kCancelRequested) == 0) return true;
  // The canceller saw an unpublished operation and does nothing more.
  state_.store(kCancelRequested, std::memory_order_relaxed);
  return false;
}

bool Op::request_cancel() noexcept {
  uint32_t state = state_.load(std::memory_order_acquire);
  for (;;) {
    if ((state & (kDone | kCancelRequested)) != 0) return false;
    const bool deliver = (state & kPublished) != 0 && (state & kBlocking) == 0;
    const uint32_t next = state | kCancelRequested | (deliver ? kCancelPending : 0u);
    if (state_.compare_exchange_weak(state, next, std::memory_order_acq_rel,
                                     std::memory_order_acquire)) {
      return deliver;
    }
  }
}

void Op::finish(int64_t result) noexcept {
  result_ = result;
  task::Header* task = task_;
  // Ordering: release publishes result_ to cancel_delivered, which may be the one that wakes.
  const uint32_t before = state_.fetch_or(kDone, std::memory_order_acq_rel);
  ZOKIO_CHECK((before & (kPublished | kDone)) == kPublished, "an operation ended twice");
  if ((before & kCancelPending) == 0) task::wake(task);
}

void Op::cancel_delivered() noexcept {
  task::Header* task = task_;
  const uint32_t before = state_.fetch_and(~uint32_t{kCancelPending}, std::memory_order_acq_rel);
  ZOKIO_CHECK((before & kCancelPending) != 0, "a cancel message was read twice");
  if ((before & kDone) != 0) task::wake(task);
}

}  // namespace zokio::io
