// SPDX-License-Identifier: Apache-2.0
#pragma once

// A kernel that is made up: sockets, pipes, files, epoll sets and io_uring rings in memory, whose
// delays, short transfers, errors and races come from a seed.
//
// The runtime's own engines run over it, unchanged: the linker sends their system calls here
// (calls.cpp, the option --wrap), so a production build knows nothing of it. Descriptors of its own
// begin at kFirstFd; a call on any other goes to the real kernel.
// Thread: one.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"

namespace zokio::sim {

class Object;
class RingObject;
struct Inode;

// "One in": how rarely something happens, on average; 0: never.
struct KernelOptions {
  uint64_t seed = 1;
  uint32_t short_one_in = 0;        // a transfer is cut short, at any prefix
  uint32_t transient_one_in = 0;    // EINTR or EAGAIN
  uint32_t reset_one_in = 0;        // the connection is reset at a transfer
  uint32_t refused_one_in = 0;      // a connect or an accept fails
  uint32_t disk_error_one_in = 0;   // EIO, ENOSPC
  uint32_t uncached_one_in = 2;     // a read is not in the page cache
  uint32_t busy_one_in = 0;         // io_uring_enter: EBUSY, EAGAIN, EINTR, or not all is taken
  uint32_t cancel_lost_one_in = 0;  // a cancel comes too late, or too early
  uint32_t delay_one_in = 1;        // something takes its time
  uint32_t delay_us_max = 200;
  std::size_t socket_bytes = 4096;  // a direction of a stream holds so many
  // io_uring. ----------------------------------------------------------------------------------
  int setup_error = 0;              // of every attempt to make a ring: EPERM, ENOSYS, ENOMEM
  unsigned entries_max = 4096;      // a ring of more: ENOMEM
  unsigned unknown_flags = 0;       // of setup: EINVAL
  unsigned completions_max = 4096;  // the queue has room for so many
  bool buffer_rings = true;
  bool registered_buffers = true;
  uint64_t unknown_opcodes = 0;  // bit n: opcode n

  // Another kernel for each seed: some of the faults, some of the features.
  static KernelOptions of(uint64_t seed);
};

// What has happened, so that a test can say that it did.
struct KernelCounts {
  uint64_t calls = 0;
  uint64_t shorts = 0;
  uint64_t transients = 0;
  uint64_t resets = 0;
  uint64_t disk_errors = 0;
  uint64_t uncached = 0;
  uint64_t cancels = 0;
  uint64_t cancels_lost = 0;
  uint64_t no_buffers = 0;
  uint64_t overflows = 0;
  uint64_t busy = 0;
};

class Kernel {
 public:
  static constexpr int kFirstFd = 128;

  explicit Kernel(KernelOptions options);
  ~Kernel();
  Kernel(const Kernel&) = delete;

  // That of the calls; null: they go to the real one.
  static Kernel* current() noexcept { return current_; }

  // Time comes from the host, who also lets others run while a call sleeps: until `ready` or the
  // deadline. False: it was not ready.
  using Ready = std::function<bool()>;
  std::function<int64_t()> now = [] { return int64_t{0}; };
  std::function<bool(const Ready& ready, int64_t deadline)> sleep;
  // Part of the host's trace.
  std::function<void(uint64_t)> note = [](uint64_t) {};

  // What is due by now happens. Between the steps of the host.
  void tick();
  // When the next thing happens by itself; INT64_MAX: nothing does.
  int64_t next_event() const;
  void after(int64_t delay_ns, std::function<void()> what);

  const KernelOptions& options() const noexcept { return options_; }
  KernelCounts& counts() noexcept { return counts_; }
  Rng& rng() noexcept { return rng_; }
  // Whether this time is one of those. Counts it.
  bool hit(uint32_t one_in, uint64_t& counter);
  int64_t delay();  // 0, or up to the longest
  // Grows whenever somebody could see something new.
  uint64_t changes() const noexcept { return changes_; }
  void changed() noexcept { ++changes_; }
  // Sleeps at most until `deadline`; false: in vain.
  bool block(const Ready& ready, int64_t deadline);

  // True when a worker would find nothing in his ring or set.
  bool quiet(uint32_t worker) const;
  // True when the kernel has taken all that a worker put into his ring.
  bool has_all(uint32_t worker) const;

  // Descriptors. ---------------------------------------------------------------------------------
  static bool owns(int fd) noexcept { return current_ != nullptr && fd >= kFirstFd; }
  int install(std::shared_ptr<Object> object);  // the lowest free number
  std::shared_ptr<Object> find(int fd) const;
  void replace(int fd, std::shared_ptr<Object> object);  // the same number, another meaning
  int64_t close(int fd);
  std::size_t open_fds() const;

  // Names. ---------------------------------------------------------------------------------------
  std::map<std::string, std::weak_ptr<Object>>& listeners() noexcept { return listeners_; }
  const std::shared_ptr<Inode>& root() noexcept { return root_; }
  uint64_t new_inode() noexcept { return ++inodes_; }
  uint16_t new_port() noexcept { return ++ports_; }

  // What may still be read or written behind the back of the one who asked: the memory of
  // operations that a ring has begun.
  bool in_use(const void* data, std::size_t bytes) const;
  std::size_t ring_operations() const;
  // A line for each thing that is open or in flight.
  std::string describe() const;
  // A rule that the kernel's user broke; empty: none.
  void blame(std::string what) {
    if (violation_.empty()) violation_ = std::move(what);
  }
  const std::string& violation() const noexcept { return violation_; }

  // For rings.
  void add_ring(RingObject* ring) { rings_.push_back(ring); }
  void remove_ring(RingObject* ring) { std::erase(rings_, ring); }

 private:
  static Kernel* current_;

  KernelOptions options_;
  Rng rng_;
  KernelCounts counts_;
  std::vector<std::shared_ptr<Object>> fds_;
  std::map<std::pair<int64_t, uint64_t>, std::function<void()>> events_;  // by time, then order
  uint64_t order_ = 0;
  uint64_t changes_ = 0;
  std::map<std::string, std::weak_ptr<Object>> listeners_;
  std::shared_ptr<Inode> root_;
  uint64_t inodes_ = 0;
  uint16_t ports_ = 20000;
  std::vector<RingObject*> rings_;
  std::string violation_;
};

}  // namespace zokio::sim
