// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace zokio::fs {

// How a file is opened. The default reads an existing one.
struct OpenOptions {
  bool read = true;
  bool write = false;
  bool create = false;     // make it when it does not exist, with `mode`
  bool exclusive = false;  // with create: fail with AlreadyExists when it does
  bool truncate = false;   // with write: empty it
  bool directory = false;  // fail with FailedPrecondition unless it is a directory
  bool no_follow = false;  // fail when the last component is a symbolic link
  // Fail with FailedPrecondition unless it is a regular file; a FIFO or a device does not make the
  // open wait. For paths that somebody else chose.
  bool regular_only = false;
  bool temporary = false;  // `path` is a directory; the file has no name (O_TMPFILE)
  bool append = false;     // every write goes to the end, whatever its offset
  bool direct = false;     // past the page cache (O_DIRECT); see fs/direct.h
  unsigned mode = 0644;    // of a new file, cut by the umask
};

inline constexpr OpenOptions kReadOnly{};
// A new or emptied file to write.
inline constexpr OpenOptions kReplace{
    .read = false, .write = true, .create = true, .truncate = true};
// A new file to write; AlreadyExists otherwise.
inline constexpr OpenOptions kCreateNew{
    .read = false, .write = true, .create = true, .exclusive = true};

}  // namespace zokio::fs
