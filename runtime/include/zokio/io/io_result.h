// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a read or a write yields: the count, or why not, and in every case the buffer, or the part
// of a chain that was not written.

#include <cstddef>
#include <vector>

#include "zokio/base/result.h"
#include "zokio/mem/buffer.h"
#include "zokio/mem/buffer_chain.h"

namespace zokio::io {

struct IoResult {
  // Reads: bytes put into the buffer, which is also its new size; 0 at the end of the stream.
  // Writes: bytes taken from it. Errc::Cancelled: nothing was transferred.
  Result<std::size_t> n{0};
  mem::Buffer buffer;
};

// Of a write of a chain.
struct ChainResult {
  Result<std::size_t> n{0};  // bytes written; Errc::Cancelled: none by the step that was cancelled
  mem::BufferChain rest;     // empty when all was written
};

// Of a read into several buffers in one call: they are filled in their order, and the size of each
// is set.
struct VectorResult {
  Result<std::size_t> n{0};
  std::vector<mem::Buffer> buffers;
};

}  // namespace zokio::io

namespace zokio {
using io::ChainResult;
using io::IoResult;
using io::VectorResult;
}  // namespace zokio
