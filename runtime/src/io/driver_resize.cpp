// SPDX-License-Identifier: Apache-2.0

// Resizing of the rings of all reactors: an order to each owner, and one report of what came of
// them.

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "io/driver.h"
#include "os/futex.h"

namespace zokio::io {
namespace {

bool wait_for(RingOrder& order, Instant deadline) {
  while (order.done.load(std::memory_order_acquire) == 0) {
    if (Instant::now() >= deadline) return false;
    os::futex_wait(order.done, 0, deadline);
  }
  return true;
}

// What the change before left may still be on its way out, which takes some passes of the owner; by
// feel: what takes longer is worth a refusal.
constexpr Duration kBusyFor = std::chrono::seconds(1);
constexpr Duration kAskAgain = std::chrono::milliseconds(1);

// An order that its owner has carried out, or not yet (`deadline`); null: the reactor is closed.
std::shared_ptr<RingOrder> carry_out(Reactor& reactor, const RingRequest& request,
                                     Instant deadline) {
  const Instant patience = std::min(deadline, Instant::now() + kBusyFor);
  for (;;) {
    auto order = std::make_shared<RingOrder>();
    order->request = request;
    order->self = order;
    if (!reactor.send(order.get())) {
      order->self.reset();
      return nullptr;
    }
    const bool done = wait_for(*order, deadline);
    if (!done || order->outcome.error != EBUSY || Instant::now() >= patience) return order;
    os::futex_wait(order->done, 1, Instant::now() + kAskAgain);
  }
}

// "2 in place, 1 replaced".
std::string ways(unsigned in_place, unsigned replaced, unsigned unchanged) {
  std::string out;
  const auto add = [&](unsigned count, const char* what) {
    if (count == 0) return;
    if (!out.empty()) out += ", ";
    out += std::to_string(count) + what;
  };
  add(in_place, " in place");
  add(replaced, " replaced");
  add(unchanged, " unchanged");
  return out;
}

void add_reason(std::string& all, unsigned slot, const std::string& reason) {
  if (reason.empty()) return;
  if (!all.empty()) all += "; ";
  all += "reactor " + std::to_string(slot) + ": " + reason;
}

}  // namespace

Result<ResizeReport> Driver::resize_rings(const RingRequest& request, Instant deadline) {
  if (request.entries != 0 &&
      (request.entries < kMinRingEntries || request.entries > kMaxRingEntries))
    return fail(Errc::InvalidArgument, "ring entries");
  if (request.buffers != 0 &&
      (request.buffers < kMinPickBuffers || request.buffers > kMaxPickBuffers))
    return fail(Errc::InvalidArgument, "receive buffers");
  ResizeReport report;
  if (backend_ == Backend::Epoll) {
    report.way = "epoll has no rings";
    return report;
  }
  const Instant begin = Instant::now();
  const RingSizes before = ring_sizes();
  // First: one that opens meanwhile has the new size.
  if (request.entries != 0) ring_entries_ = std::bit_ceil(request.entries);
  if (request.buffers != 0) pick_buffers_ = std::bit_ceil(request.buffers);

  RingRequest wanted = request;
  if (request.buffers != 0) wanted.buffers = pick_buffers_;

  unsigned counts[3] = {};
  unsigned asked = 0;
  unsigned refused = 0;
  int error = 0;
  uint64_t reached = UINT64_MAX;
  for (unsigned slot = 0; slot < kReactorSlots; ++slot) {
    if ((active() >> slot & 1) == 0) continue;
    const auto order = carry_out(reactors_[slot], wanted, deadline);
    if (order == nullptr) continue;  // closed since
    ++asked;
    if (order->done.load(std::memory_order_acquire) == 0) {
      ++refused;
      add_reason(report.reason, slot, "its owner is busy; it follows");
      continue;
    }
    const RingOutcome& outcome = order->outcome;
    ++counts[static_cast<unsigned>(outcome.way)];
    refused += outcome.refused ? 1 : 0;
    if (outcome.refused) error = outcome.error;
    reached = std::min<uint64_t>(reached,
                                 request.entries != 0 ? outcome.reached : outcome.buffers_reached);
    report.reissued_ops += outcome.moved;
    add_reason(report.reason, slot, outcome.reason);
  }
  if (asked != 0 && refused == asked) {
    ring_entries_ = before.entries;
    pick_buffers_ = before.buffers;
    if (error != 0) return fail_errno(error, "resize rings");
    return fail(Errc::DeadlineExceeded, "resize rings", Detail::Stalled);
  }
  report.reached = reached != UINT64_MAX  ? reached
                   : request.entries != 0 ? ring_entries_.load()
                                          : pick_buffers_.load();
  report.way = ways(counts[1], counts[2], counts[0]);
  report.took = Instant::now() - begin;
  return report;
}

}  // namespace zokio::io
