// SPDX-License-Identifier: Apache-2.0
#pragma once

// A file read or written from front to back: a position over a File, as a stream (io/stream.h).
// Several may go over one File. Cancel: the position stands where the last good call left it.
// Thread: one task at a time.

#include <cstdint>

#include "zokio/fs/file.h"
#include "zokio/io/stream.h"

namespace zokio::fs {

class FileStream {
 public:
  // `file` outlives it.
  explicit FileStream(const File& file, uint64_t position = 0) noexcept
      : file_(&file), position_(position) {}

  // n == 0: the end of the file.
  Task<IoResult> read(mem::Buffer buffer, std::size_t skip = 0, std::size_t limit = io::kNoLimit);
  Task<IoResult> write(mem::Buffer buffer, std::size_t skip = 0);

  uint64_t position() const noexcept { return position_; }
  void seek(uint64_t position) noexcept { position_ = position; }

 private:
  const File* file_;
  uint64_t position_;
};

}  // namespace zokio::fs
