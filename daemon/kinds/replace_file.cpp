// SPDX-License-Identifier: Apache-2.0
#include "kinds/replace_file.h"

#include <cstring>

#include "kinds/buffers.h"
#include "kinds/paths.h"
#include "kinds/stream.h"
#include "zokio/fs/dir.h"
#include "zokio/shield.h"

namespace zokiod::kinds {

using zokio::Result;
using zokio::Task;
using zokio::fs::File;

Task<model::Reported<PendingFile>> PendingFile::open(std::string path, JobContext& context,
                                                     unsigned mode) {
  auto rooted = co_await open_root(path, context.policy());
  if (!rooted) co_return std::unexpected(std::move(rooted.error()));
  auto [parent, name] = split_parent(rooted->rest);
  if (name == ".")
    co_return path_error(zokio::Error(zokio::Errc::FailedPrecondition, "open"), "replace", path);
  PendingFile out;
  out.path_ = path;
  out.name_ = name;
  // One name for all attempts of a job: they never run at the same time.
  out.temporary_ = ".zokio-" + context.job().id.to_string() + ".part";
  Result<File> directory = co_await File::open_beneath(rooted->root, parent, {.directory = true});
  if (!directory) co_return path_error(directory.error(), "open the directory of", path);
  out.directory_ = *std::move(directory);
  static_cast<void>(co_await zokio::fs::unlink_at(out.directory_.fd(), out.temporary_));
  Result<File> file = co_await File::open_beneath(
      out.directory_, out.temporary_,
      {.read = true, .write = true, .create = true, .exclusive = true, .mode = mode});
  if (!file) co_return path_error(file.error(), "create", path);
  out.file_ = *std::move(file);
  co_return std::move(out);
}

Task<model::Reported<>> PendingFile::commit(bool overwrite) {
  Result<void> synced = co_await file_.sync();
  if (!synced) co_return path_error(synced.error(), "sync", path_);
  Result<void> renamed = co_await zokio::fs::rename_at(directory_.fd(), temporary_, directory_.fd(),
                                                       name_, !overwrite);
  if (!renamed) co_return path_error(renamed.error(), "rename to", path_);
  zokio::Shield shield;  // the name is given: it is made durable, too
  Result<void> named = co_await directory_.sync();
  if (!named) co_return path_error(named.error(), "sync the directory of", path_);
  co_return model::Reported<>();
}

Task<void> PendingFile::discard() {
  zokio::Shield shield;
  static_cast<void>(co_await file_.close());
  static_cast<void>(co_await zokio::fs::unlink_at(directory_.fd(), temporary_));
}

Task<bool> PendingFile::exists() const {
  const auto meta = co_await zokio::fs::stat_at(directory_.fd(), name_, false);
  co_return meta.has_value();
}

namespace {

Task<Result<void>> write_content(File& file, const std::string& content) {
  for (uint64_t offset = 0; offset < content.size(); offset += kBlockBytes) {
    ZOKIO_CO_TRY(zokio::mem::Buffer buffer, co_await lease_patiently(kBlockBytes));
    const size_t size = std::min<size_t>(kBlockBytes, content.size() - offset);
    std::memcpy(buffer.data(), content.data() + offset, size);
    buffer.resize(size);
    zokio::IoResult written = co_await file.write_all_at(std::move(buffer), offset);
    if (!written.n) co_return zokio::fail(written.n.error());
  }
  co_return Result<void>();
}

}  // namespace

Task<model::Reported<>> replace_file(std::string path, std::string content, JobContext& context) {
  auto pending = co_await PendingFile::open(path, context, 0644);
  if (!pending) co_return std::unexpected(std::move(pending.error()));
  model::Reported<> done;
  const Result<void> written = co_await write_content(pending->file(), content);
  if (written)
    done = co_await pending->commit(true);
  else
    done = path_error(written.error(), "write", path);
  if (!done) co_await pending->discard();
  co_return done;
}

}  // namespace zokiod::kinds
