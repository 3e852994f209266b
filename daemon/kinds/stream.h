// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reads a file from its start to its end, with the next block on its way while this one is worked
// on. Thread: one task.

#include <cstdint>

#include "zokio/base/bytes.h"
#include "zokio/fs/file.h"
#include "zokio/task/task.h"

namespace zokiod::kinds {

// A block of a file: large enough that the cost of an operation does not count, small enough that
// hashing it does not hold a worker for long (about 0.3 ms).
inline constexpr size_t kBlockBytes = 256 * 1024;

// Takes the blocks in order. What it does with one may suspend; `buffer` comes back for reuse.
class BlockSink {
 public:
  virtual ~BlockSink() = default;
  virtual zokio::Task<zokio::Result<zokio::mem::Buffer>> take(zokio::mem::Buffer buffer,
                                                              uint64_t offset) = 0;
};

// The number of bytes read. Cancel: Cancelled; nothing is left behind.
zokio::Task<zokio::Result<uint64_t>> stream_file(zokio::fs::File& file, BlockSink& sink);

}  // namespace zokiod::kinds
