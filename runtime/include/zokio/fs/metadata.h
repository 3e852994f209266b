// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace zokio::fs {

enum class FileType : uint8_t {
  Unknown,
  Regular,
  Directory,
  Symlink,
  Fifo,
  Socket,
  CharDevice,
  BlockDevice
};

struct Metadata {
  FileType type = FileType::Unknown;
  uint64_t size = 0;
  uint32_t mode = 0;  // permission bits
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t links = 0;
  uint64_t inode = 0;
  uint64_t device = 0;
  uint64_t blocks_bytes = 0;  // really allocated
  int64_t modified_ns = 0;    // since 1970

  bool is_regular() const { return type == FileType::Regular; }
  bool is_directory() const { return type == FileType::Directory; }
  // The same file, whatever its name.
  bool same_file(const Metadata& other) const {
    return inode == other.inode && device == other.device;
  }
};

// One name of a directory.
struct DirEntry {
  std::string name;
  FileType type = FileType::Unknown;  // Unknown: the file system does not say without a stat
};

}  // namespace zokio::fs
