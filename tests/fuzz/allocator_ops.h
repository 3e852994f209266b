// SPDX-License-Identifier: Apache-2.0
#pragma once

// A sequence of bytes as a sequence of operations on the heap: what a fuzzer varies.
//
// Every block is filled with a pattern of its own when it is allocated, and compared byte for byte
// when it is freed, reallocated, or looked at; blocks that share a byte, a content that was lost or
// a block that is not where it should be end the process with a message. At the end everything is
// freed, and the pool has to be empty.
// Thread: one at a time. The operations take turns with the caches of two threads, as if each had
// done them, so that a sequence always does the same.

#include <cstddef>
#include <cstdint>

namespace fuzz {

// Returns the number of operations.
std::size_t run_allocator_ops(const uint8_t* data, std::size_t size);

}  // namespace fuzz
