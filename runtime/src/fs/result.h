// SPDX-License-Identifier: Apache-2.0
#pragma once

// From the results of operations to those of this module.

#include <sys/stat.h>

#include "io/ops/transfer.h"
#include "zokio/base/result.h"
#include "zokio/fs/metadata.h"

namespace zokio::fs {

inline Result<void> outcome(const io::Op& op) noexcept {
  if (op.result() < 0) return fail(io::error_of(op));
  return {};
}

inline FileType file_type(unsigned mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return FileType::Regular;
    case S_IFDIR:
      return FileType::Directory;
    case S_IFLNK:
      return FileType::Symlink;
    case S_IFIFO:
      return FileType::Fifo;
    case S_IFSOCK:
      return FileType::Socket;
    case S_IFCHR:
      return FileType::CharDevice;
    case S_IFBLK:
      return FileType::BlockDevice;
    default:
      return FileType::Unknown;
  }
}

inline Metadata metadata_of(const struct statx& from) noexcept {
  return {
      .type = file_type(from.stx_mode),
      .size = from.stx_size,
      .mode = from.stx_mode & 07777u,
      .uid = from.stx_uid,
      .gid = from.stx_gid,
      .links = from.stx_nlink,
      .inode = from.stx_ino,
      .device = (uint64_t{from.stx_dev_major} << 32) | from.stx_dev_minor,
      .blocks_bytes = from.stx_blocks * 512,
      .modified_ns = from.stx_mtime.tv_sec * 1'000'000'000 + from.stx_mtime.tv_nsec,
  };
}

}  // namespace zokio::fs
