// SPDX-License-Identifier: Apache-2.0
#include "zokio/fs/dir.h"

#include <fcntl.h>
#include <stdio.h>

#include "fs/result.h"
#include "io/ops/link.h"
#include "io/ops/mkdir.h"
#include "io/ops/read_dir.h"
#include "io/ops/rename.h"
#include "io/ops/statx.h"
#include "io/ops/unlink.h"

namespace zokio::fs {
namespace {

Task<Result<void>> remove_name(int directory, std::string path, bool is_directory) {
  io::UnlinkOp op(directory, std::move(path), is_directory);
  co_await op;
  co_return outcome(op);
}

Task<Result<std::vector<DirEntry>>> list(int directory, std::string path) {
  io::ReadDirOp op(directory, std::move(path), true, kMaxDirEntries);
  co_await op;
  if (op.result() == -EOVERFLOW) {
    co_return fail(Errc::ResourceExhausted, "read_dir", Detail::Limit);
  }
  if (op.result() < 0) co_return fail(io::error_of(op));
  std::vector<DirEntry> entries;
  auto found = op.take();
  entries.reserve(found.size());
  for (auto& entry : found) {
    entries.push_back({std::move(entry.name), file_type(DTTOIF(unsigned{entry.type}))});
  }
  co_return entries;
}

}  // namespace

Task<Result<void>> rename(std::string from, std::string to, bool no_replace) {
  return rename_at(AT_FDCWD, std::move(from), AT_FDCWD, std::move(to), no_replace);
}

Task<Result<void>> rename_at(int from_directory, std::string from, int to_directory, std::string to,
                             bool no_replace) {
  io::RenameOp op(from_directory, std::move(from), to_directory, std::move(to),
                  no_replace ? RENAME_NOREPLACE : 0);
  co_await op;
  co_return outcome(op);
}

Task<Result<void>> unlink(std::string path) {
  return remove_name(AT_FDCWD, std::move(path), false);
}
Task<Result<void>> unlink_at(int directory, std::string path) {
  return remove_name(directory, std::move(path), false);
}
Task<Result<void>> remove_dir(std::string path) {
  return remove_name(AT_FDCWD, std::move(path), true);
}
Task<Result<void>> remove_dir_at(int directory, std::string path) {
  return remove_name(directory, std::move(path), true);
}

Task<Result<void>> link(std::string from, std::string to) {
  io::LinkOp op(AT_FDCWD, std::move(from), AT_FDCWD, std::move(to), 0);
  co_await op;
  co_return outcome(op);
}

Task<Result<void>> symlink(std::string target, std::string path) {
  io::SymlinkOp op(std::move(target), AT_FDCWD, std::move(path));
  co_await op;
  co_return outcome(op);
}

Task<Result<void>> mkdir(std::string path, unsigned mode) {
  return mkdir_at(AT_FDCWD, std::move(path), mode);
}
Task<Result<void>> mkdir_at(int directory, std::string path, unsigned mode) {
  io::MkdirOp op(directory, std::move(path), mode);
  co_await op;
  co_return outcome(op);
}

Task<Result<void>> fsync_dir(std::string path) {
  ZOKIO_CO_TRY(File directory, co_await File::open(std::move(path), {.directory = true}));
  co_return co_await directory.sync();
}

Task<Result<Metadata>> stat_path(std::string path, bool follow) {
  return stat_at(AT_FDCWD, std::move(path), follow);
}
Task<Result<Metadata>> stat_at(int directory, std::string path, bool follow) {
  io::StatxOp op(directory, std::move(path), follow);
  co_await op;
  if (op.result() < 0) co_return fail(io::error_of(op));
  co_return metadata_of(op.attributes());
}

Task<Result<std::vector<DirEntry>>> read_dir(std::string path) {
  return list(AT_FDCWD, std::move(path));
}
Task<Result<std::vector<DirEntry>>> read_dir_at(int directory, std::string path) {
  return list(directory, std::move(path));
}

}  // namespace zokio::fs
