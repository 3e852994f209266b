// SPDX-License-Identifier: Apache-2.0
#pragma once

// Replacing a file so that a crash leaves the old content or the new one, and never a part.

#include <span>
#include <string>

#include "zokio/fs/file.h"
#include "zokio/mem/buffer.h"

namespace zokio::fs {

// Writes `content` to a new file beside `path`, makes it durable, gives it the name and makes the
// name durable: write, fsync, rename, fsync of the directory. When it returns well the new content
// is there after a power failure. On an error or a cancel `path` is as it was, or, when only the
// last step failed, new and perhaps not durable; the file beside it is removed, except after a
// crash: it is called `.NAME.PID-N.new`. The buffer comes back.
// Errors: ResourceExhausted (ENOSPC), NotFound (no such directory), ... by errno.
Task<IoResult> replace_file(std::string path, mem::Buffer content, unsigned mode = 0644);

// The last two steps for a file that the caller wrote: sync, rename, sync of `to`'s directory.
// Requires: both names are in one file system.
Task<Result<void>> rename_durably(const File& file, std::string from, std::string to);

// A file without a name in `directory`; it is gone when closed, unless link_file names it.
Task<Result<File>> open_temporary(std::string directory, unsigned mode = 0600);
// Gives a file without a name that of `path`. Errors: AlreadyExists, ...
Task<Result<void>> link_file(const File& file, std::string path);

}  // namespace zokio::fs
