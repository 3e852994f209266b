// SPDX-License-Identifier: Apache-2.0
#include "kernel/kernel.h"

#include <liburing.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "kernel/files.h"
#include "kernel/object.h"
#include "kernel/ring.h"
#include "zokio/base/assert.h"

namespace zokio::sim {

Kernel* Kernel::current_ = nullptr;

KernelOptions KernelOptions::of(uint64_t seed) {
  Rng rng(seed * 0x9e3779b97f4a7c15 + 11);
  KernelOptions out;
  out.seed = seed;
  const auto some = [&rng](uint32_t one_in) { return rng.below(2) == 0 ? 0 : one_in; };
  out.short_one_in = some(2 + rng.below(4));
  out.transient_one_in = some(4 + rng.below(12));
  out.reset_one_in = some(60 + rng.below(300));
  out.refused_one_in = some(5 + rng.below(10));
  out.disk_error_one_in = some(40 + rng.below(100));
  out.busy_one_in = some(4 + rng.below(12));
  out.cancel_lost_one_in = some(2 + rng.below(3));
  out.delay_one_in = 1 + rng.below(4);
  out.delay_us_max = 1 + rng.below(400);
  out.socket_bytes = std::size_t{16} << rng.below(10);
  constexpr std::array kRefusals = {EPERM, ENOSYS, ENOMEM, EMFILE};
  if (rng.below(12) == 0) out.setup_error = kRefusals[rng.below(kRefusals.size())];
  out.entries_max = 32u << rng.below(8);
  constexpr std::array<unsigned, 5> kAges = {
      0, IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER,
      IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN |
          IORING_SETUP_TASKRUN_FLAG,
      IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN |
          IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL};
  out.unknown_flags = kAges[rng.below(2) == 0 ? 0 : rng.below(kAges.size())];
  out.completions_max = rng.below(3) == 0 ? 8u << rng.below(4) : 4096;
  out.buffer_rings = rng.below(4) != 0;
  out.registered_buffers = rng.below(2) != 0;
  for (const unsigned opcode : {IORING_OP_OPENAT2, IORING_OP_STATX, IORING_OP_FALLOCATE,
                                IORING_OP_CLOSE, IORING_OP_RENAMEAT, IORING_OP_UNLINKAT})
    if (rng.below(6) == 0) out.unknown_opcodes |= uint64_t{1} << opcode;
  return out;
}

Kernel::Kernel(KernelOptions options)
    : options_(options), rng_(options.seed * 2 + 1), root_(std::make_shared<Inode>()) {
  ZOKIO_CHECK(current_ == nullptr, "one kernel at a time");
  current_ = this;
  root_->number = new_inode();
  root_->directory = true;
}

Kernel::~Kernel() {
  events_.clear();
  for (auto& object : fds_) object.reset();
  current_ = nullptr;
}

bool Kernel::hit(uint32_t one_in, uint64_t& counter) {
  if (one_in == 0 || rng_.below(one_in) != 0) return false;
  ++counter;
  return true;
}

int64_t Kernel::delay() {
  if (rng_.below(options_.delay_one_in) != 0) return 0;
  return 1000 * static_cast<int64_t>(rng_.below(options_.delay_us_max + 1));
}

void Kernel::after(int64_t delay_ns, std::function<void()> what) {
  if (delay_ns <= 0) return what();
  events_.emplace(std::pair(now() + delay_ns, ++order_), std::move(what));
}

int64_t Kernel::next_event() const {
  int64_t next = events_.empty() ? INT64_MAX : events_.begin()->first.first;
  for (const RingObject* ring : rings_) next = std::min(next, ring->next_event());
  return next;
}

void Kernel::tick() {
  const int64_t time = now();
  while (!events_.empty() && events_.begin()->first.first <= time) {
    auto what = std::move(events_.begin()->second);
    events_.erase(events_.begin());
    what();
  }
  for (RingObject* ring : rings_) ring->progress();
}

bool Kernel::block(const Ready& ready, int64_t deadline) {
  tick();
  if (ready()) return true;
  return sleep && sleep(ready, deadline) && ready();
}

int Kernel::install(std::shared_ptr<Object> object) {
  auto free = std::find(fds_.begin(), fds_.end(), nullptr);
  if (free == fds_.end()) free = fds_.insert(fds_.end(), nullptr);
  *free = std::move(object);
  return kFirstFd + static_cast<int>(free - fds_.begin());
}

std::shared_ptr<Object> Kernel::find(int fd) const {
  const auto index = static_cast<std::size_t>(fd - kFirstFd);
  return fd >= kFirstFd && index < fds_.size() ? fds_[index] : nullptr;
}

void Kernel::replace(int fd, std::shared_ptr<Object> object) {
  fds_[static_cast<std::size_t>(fd - kFirstFd)] = std::move(object);
}

int64_t Kernel::close(int fd) {
  std::shared_ptr<Object> object = find(fd);
  if (!object) return -EBADF;
  fds_[static_cast<std::size_t>(fd - kFirstFd)] = nullptr;
  return 0;  // the object goes with its last user, which a ring may be
}

std::size_t Kernel::open_fds() const {
  return fds_.size() - static_cast<std::size_t>(std::count(fds_.begin(), fds_.end(), nullptr));
}

bool Kernel::in_use(const void* data, std::size_t bytes) const {
  return std::any_of(rings_.begin(), rings_.end(),
                     [&](const RingObject* ring) { return ring->in_use(data, bytes); });
}

std::size_t Kernel::ring_operations() const {
  std::size_t n = 0;
  for (const RingObject* ring : rings_) n += ring->operations();
  return n;
}

bool Kernel::quiet(uint32_t worker) const {
  return std::none_of(fds_.begin(), fds_.end(), [worker](const auto& object) {
    return object && object->owner == worker && object->has_news();
  });
}

bool Kernel::has_all(uint32_t worker) const {
  return std::none_of(rings_.begin(), rings_.end(), [worker](const RingObject* ring) {
    return ring->owner == worker && ring->has_backlog();
  });
}

std::string Kernel::describe() const {
  std::string out = "kernel: " + std::to_string(events_.size()) + " events to come\n";
  for (std::size_t i = 0; i < fds_.size(); ++i)
    if (fds_[i])
      out +=
          "  " + std::to_string(kFirstFd + static_cast<int>(i)) + ": " + fds_[i]->describe() + "\n";
  for (const RingObject* ring : rings_) out += ring->describe();
  return out;
}

}  // namespace zokio::sim
