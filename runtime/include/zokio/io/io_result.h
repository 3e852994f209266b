// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a read or a write yields: the count, or why not, and in every case the buffer.

#include <cstddef>

#include "zokio/base/result.h"
#include "zokio/mem/buffer.h"

namespace zokio::io {

struct IoResult {
  // Reads: bytes put into the buffer, which is also its new size; 0 at the end of the stream.
  // Writes: bytes taken from it. Errc::Cancelled: nothing was transferred.
  Result<std::size_t> n{0};
  mem::Buffer buffer;
};

}  // namespace zokio::io

namespace zokio {
using io::IoResult;
}
