// SPDX-License-Identifier: Apache-2.0
#pragma once

// What happens to files and directories, as it happens (inotify).
//
//   ZOKIO_CO_TRY(auto watcher, fs::Watcher::create());
//   ZOKIO_CO_TRY(int id, watcher.add("/etc/app", fs::kModified | fs::kCreated));
//   for (;;) { ZOKIO_CO_TRY(fs::WatchEvent event, co_await watcher.next()); ... }
//
// Events say that something happened, not what is there now; several of one kind may become one.
// Thread: one task at a time waits; add and remove from any task.

#include <cstdint>
#include <string>

#include "zokio/base/result.h"
#include "zokio/mem/buffer.h"
#include "zokio/os/fd.h"
#include "zokio/task/task.h"

namespace zokio::fs {

// Bits of a mask; the kernel's own numbers.
inline constexpr uint32_t kModified = 0x2;       // written or cut
inline constexpr uint32_t kAttributes = 0x4;     // mode, owner, times, links
inline constexpr uint32_t kClosedWritten = 0x8;  // closed by who had it open for writing
inline constexpr uint32_t kMovedFrom = 0x40;     // a name left the directory
inline constexpr uint32_t kMovedTo = 0x80;       // a name came into it; a rename has both
inline constexpr uint32_t kCreated = 0x100;      // a name was made in the directory
inline constexpr uint32_t kDeleted = 0x200;      // a name was removed from it
inline constexpr uint32_t kSelfDeleted = 0x400;  // what is watched was removed
inline constexpr uint32_t kSelfMoved = 0x800;    // what is watched got another name
// Only in events.
inline constexpr uint32_t kOverflow = 0x4000;         // events were lost: look at everything again
inline constexpr uint32_t kEnded = 0x8000;            // this watch is gone
inline constexpr uint32_t kIsDirectory = 0x40000000;  // the name is a directory's

struct WatchEvent {
  int id = -1;          // what add() gave; -1 for kOverflow
  uint32_t what = 0;    // bits from above
  uint32_t cookie = 0;  // the same for kMovedFrom and kMovedTo of one rename; otherwise 0
  std::string name;     // in the directory that is watched; empty for the watched itself
};

class Watcher {
 public:
  Watcher() = default;
  // Errors: ResourceExhausted (fs.inotify.max_user_instances, descriptors; memory).
  static Result<Watcher> create();

  // Watches a file or a directory (not what is below). The same id when it is watched already; the
  // mask is replaced then. Errors: NotFound, ResourceExhausted (max_user_watches), ...
  Result<int> add(const std::string& path, uint32_t mask);
  // Errors: InvalidArgument (no such watch).
  Result<void> remove(int id) noexcept;

  // The next event. Cancel: none is lost.
  Task<Result<WatchEvent>> next();
  int fd() const noexcept { return fd_.get(); }

 private:
  os::Fd fd_;
  mem::Buffer buffer_;
  std::size_t at_ = 0;
};

}  // namespace zokio::fs
