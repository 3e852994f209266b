// SPDX-License-Identifier: Apache-2.0

// The driver's figures: copies what the never-freed slots count.

#include <bit>

#include "io/driver.h"

namespace zokio::io {
namespace {

void add(IoOpSnapshot& into, const OpCounters& from) {
  into.ok += from.ok.read();
  into.error += from.error.read();
  into.cancelled += from.cancelled.read();
  into.bytes += from.bytes.read();
  stats::merge(into.duration_ns, from.duration_ns.snapshot());
}

// As ReactorSnapshot::registered_buffers has it.
std::string registered_text(int state) {
  if (state == ReactorCounters::kNotRegistered) return "";
  if (state == 0) return "yes";
  return Error::from_errno(-state, "io_uring_register").to_string();
}

// As ReactorSnapshot::receive_buffers_reason has it.
std::string pick_text(int error) {
  if (error == 0) return "";
  if (error == ReactorCounters::kPoolTooSmall) return "the pool of buffers is too small";
  return Error::from_errno(error, "buffer ring").to_string();
}

}  // namespace

void Driver::count_blocking(const Op& op) noexcept {
  if (op.opcode() == 0)
    blocking_no_form_.add_shared();
  else if (backend_ == Backend::Uring)
    blocking_no_opcode_.add_shared();
  else
    blocking_epoll_.add_shared();
}

IoSnapshot Driver::snapshot() const {
  IoSnapshot out;
  out.backend = backend_ == Backend::Uring ? "io_uring" : "epoll";
  out.fallback_reason = fallback_reason_;
  out.reactors_desired = static_cast<uint32_t>(std::popcount(active()));
  out.blocking_reasons = {{"epoll cannot wait for files", blocking_epoll_.read()},
                          {"the kernel has no asynchronous form", blocking_no_form_.read()},
                          {"this kernel lacks the opcode", blocking_no_opcode_.read()}};
  for (const BlockingReason& reason : out.blocking_reasons) {
    out.file_ops_blocking += reason.operations;
  }
  out.accept_pauses = accept_pauses_.read();
  if (const int error = accept_error_.load(std::memory_order_relaxed); error != 0)
    out.accept_pause_reason = Error::from_errno(error, "accept").to_string();
  out.zero_copy = zero_copy_.snapshot();
  for (unsigned kind = 0; kind < kOpKinds; ++kind) {
    out.ops.push_back(
        {.op = op_name(static_cast<OpKind>(kind)), .backend = out.backend, .duration_ns = {}});
    add(out.ops.back(), blocking_.ops[kind]);
  }

  std::scoped_lock lock(mutex_);
  for (unsigned slot = 0; slot < kReactorSlots; ++slot) {
    const Reactor& reactor = reactors_[slot];
    if (!reactor.shard_) continue;  // never opened
    const ReactorCounters& counters = reactor.stats_;
    out.reactors.push_back({
        .slot = slot,
        .state = reactor.state(),
        .backend = out.backend,
        .features = features_[slot],
        .host = hosts_[slot],
        .inflight = counters.inflight.load(std::memory_order_relaxed),
        .submissions = counters.submissions.read(),
        .enters = counters.enters.read(),
        .sq_full = counters.sq_full.read(),
        .cq_overflows = counters.cq_overflows.read(),
        .remote_ops = counters.remote_ops.read(),
        .bells = counters.bells.read(),
        .registered_ops = counters.registered_ops.read(),
        .ring_entries = counters.ring_entries.load(std::memory_order_relaxed),
        .rings_resized = counters.rings_resized.read(),
        .rings_replaced = counters.rings_replaced.read(),
        .rings_draining = counters.rings_draining.load(std::memory_order_relaxed),
        .receive_buffers = counters.pick_buffers.load(std::memory_order_relaxed),
        .receive_buffers_reason = pick_text(counters.pick_error.load(std::memory_order_relaxed)),
        .registered_buffers = registered_text(counters.registered.load(std::memory_order_relaxed)),
    });
    for (unsigned kind = 0; kind < kOpKinds; ++kind) add(out.ops[kind], reactor.shard_->ops[kind]);
  }
  return out;
}

}  // namespace zokio::io
