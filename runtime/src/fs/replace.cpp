// SPDX-License-Identifier: Apache-2.0
#include "zokio/fs/replace.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>

#include "fs/result.h"
#include "io/ops/link.h"
#include "zokio/fs/dir.h"

namespace zokio::fs {
namespace {

// "dir/name" -> "dir"; "name" -> "."; "/name" -> "/".
std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Beside `path`, and nobody else's: the number is this process's own.
std::string new_name_beside(const std::string& path) {
  static std::atomic<uint64_t> next{0};
  const auto slash = path.rfind('/');
  const std::size_t at = slash == std::string::npos ? 0 : slash + 1;
  return path.substr(0, at) + "." + path.substr(at) + "." + std::to_string(getpid()) + "-" +
         std::to_string(next.fetch_add(1, std::memory_order_relaxed)) + ".new";
}

// Takes the name away unless the file got its own: not an operation, because a task that was
// cancelled could not wait for one.
class Leftover : Pinned {
 public:
  explicit Leftover(const std::string& path) noexcept : path_(&path) {}
  ~Leftover() {
    if (path_ != nullptr) ::unlink(path_->c_str());
  }
  void keep() noexcept { path_ = nullptr; }

 private:
  const std::string* path_;
};

}  // namespace

Task<Result<void>> rename_durably(const File& file, std::string from, std::string to) {
  ZOKIO_CO_CHECKED(co_await file.sync());
  ZOKIO_CO_CHECKED(co_await rename(std::move(from), to));
  co_return co_await fsync_dir(directory_of(to));
}

Task<IoResult> replace_file(std::string path, mem::Buffer content, unsigned mode) {
  const auto failed = [&](const Error& error) {
    return IoResult{.n = fail(error), .buffer = std::move(content)};
  };
  const std::string fresh = new_name_beside(path);
  OpenOptions how = kCreateNew;
  how.mode = mode;
  auto file = co_await File::open(fresh, how);
  if (!file.has_value()) co_return failed(file.error());
  Leftover leftover(fresh);
  IoResult written = co_await file->write_all_at(std::move(content), 0);
  if (!written.n.has_value()) co_return written;
  content = std::move(written.buffer);
  auto synced = co_await file->sync();
  if (!synced.has_value()) co_return failed(synced.error());
  auto renamed = co_await rename(fresh, path);
  if (!renamed.has_value()) co_return failed(renamed.error());
  leftover.keep();
  auto durable = co_await fsync_dir(directory_of(path));
  if (!durable.has_value()) co_return failed(durable.error());
  co_return IoResult{.n = written.n, .buffer = std::move(content)};
}

Task<Result<File>> open_temporary(std::string directory, unsigned mode) {
  return File::open(std::move(directory), {.write = true, .temporary = true, .mode = mode});
}

Task<Result<void>> link_file(const File& file, std::string path) {
  io::LinkOp op(AT_FDCWD, "/proc/self/fd/" + std::to_string(file.fd()), AT_FDCWD, std::move(path),
                AT_SYMLINK_FOLLOW);
  co_await op;
  co_return outcome(op);
}

}  // namespace zokio::fs
