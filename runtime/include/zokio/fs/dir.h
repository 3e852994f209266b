// SPDX-License-Identifier: Apache-2.0
#pragma once

// Names: what is done to a file by its path. The _at forms take a descriptor of a directory and a
// path relative to it; with one component and a descriptor from File::open_beneath nothing can be
// redirected by a symbolic link. Thread: any task.

#include <string>
#include <vector>

#include "zokio/base/result.h"
#include "zokio/fs/file.h"
#include "zokio/fs/metadata.h"
#include "zokio/task/task.h"

namespace zokio::fs {

// Replaces `to` when it exists, unless `no_replace` (then AlreadyExists).
Task<Result<void>> rename(std::string from, std::string to, bool no_replace = false);
Task<Result<void>> rename_at(int from_directory, std::string from, int to_directory, std::string to,
                             bool no_replace = false);

// Removes a name that is not a directory.
Task<Result<void>> unlink(std::string path);
Task<Result<void>> unlink_at(int directory, std::string path);
// Removes an empty directory. Errors: FailedPrecondition (ENOTEMPTY).
Task<Result<void>> remove_dir(std::string path);
Task<Result<void>> remove_dir_at(int directory, std::string path);

// Another name of the file `from`. Errors: AlreadyExists, PermissionDenied (EXDEV), ...
Task<Result<void>> link(std::string from, std::string to);
// A symbolic link `path` with that text. Errors: AlreadyExists, ...
Task<Result<void>> symlink(std::string target, std::string path);

Task<Result<void>> mkdir(std::string path, unsigned mode = 0755);
Task<Result<void>> mkdir_at(int directory, std::string path, unsigned mode = 0755);

// Makes the names in a directory durable: after rename, create and unlink.
Task<Result<void>> fsync_dir(std::string path);

// `follow` false: a symbolic link at the end is described itself.
Task<Result<Metadata>> stat_path(std::string path, bool follow = true);
Task<Result<Metadata>> stat_at(int directory, std::string path, bool follow = false);

// The names of one directory without . and .., in no order. Holds them all in memory: at most
// kMaxDirEntries, otherwise ResourceExhausted. Runs on the blocking pool.
inline constexpr std::size_t kMaxDirEntries = 4'000'000;
Task<Result<std::vector<DirEntry>>> read_dir(std::string path);
Task<Result<std::vector<DirEntry>>> read_dir_at(int directory, std::string path = ".");

}  // namespace zokio::fs
