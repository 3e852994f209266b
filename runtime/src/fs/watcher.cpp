// SPDX-License-Identifier: Apache-2.0
#include "zokio/fs/watcher.h"

#include <sys/inotify.h>

#include <cerrno>
#include <cstring>

#include "io/ops/read.h"

namespace zokio::fs {
namespace {

static_assert(kModified == IN_MODIFY && kAttributes == IN_ATTRIB &&
              kClosedWritten == IN_CLOSE_WRITE && kMovedFrom == IN_MOVED_FROM &&
              kMovedTo == IN_MOVED_TO && kCreated == IN_CREATE && kDeleted == IN_DELETE &&
              kSelfDeleted == IN_DELETE_SELF && kSelfMoved == IN_MOVE_SELF &&
              kOverflow == IN_Q_OVERFLOW && kEnded == IN_IGNORED && kIsDirectory == IN_ISDIR);

// Room for a few dozen events with long names, and always for one (16 + NAME_MAX + 1).
constexpr std::size_t kBufferBytes = 4096;

}  // namespace

Result<Watcher> Watcher::create() {
  Watcher out;
  out.fd_ = os::Fd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!out.fd_) return fail_errno(errno, "inotify_init");
  ZOKIO_TRY(out.buffer_, mem::lease(kBufferBytes));
  return out;
}

Result<int> Watcher::add(const std::string& path, uint32_t mask) {
  const int id = inotify_add_watch(fd_.get(), path.c_str(), mask);
  if (id < 0) return fail_errno(errno, "inotify_add_watch");
  return id;
}

Result<void> Watcher::remove(int id) noexcept {
  if (inotify_rm_watch(fd_.get(), id) != 0) return fail_errno(errno, "inotify_rm_watch");
  return {};
}

Task<Result<WatchEvent>> Watcher::next() {
  if (at_ == buffer_.size()) {
    at_ = 0;
    buffer_.resize(0);
    io::ReadOp op(fd_.get(), std::move(buffer_), io::kNoOffset);
    co_await op;
    IoResult got = op.take();
    buffer_ = std::move(got.buffer);
    if (!got.n.has_value()) {
      buffer_.resize(0);
      co_return fail(got.n.error());
    }
  }
  inotify_event head{};
  ZOKIO_CHECK(buffer_.size() - at_ >= sizeof head, "half an event was read");
  std::memcpy(&head, buffer_.data() + at_, sizeof head);
  const auto* text = reinterpret_cast<const char*>(buffer_.data() + at_ + sizeof head);
  at_ += sizeof head + head.len;
  ZOKIO_CHECK(at_ <= buffer_.size(), "half an event was read");
  WatchEvent event{.id = head.wd, .what = head.mask, .cookie = head.cookie, .name = {}};
  // Padded with NULs.
  if (head.len > 0) event.name.assign(text, strnlen(text, head.len));
  co_return event;
}

}  // namespace zokio::fs
