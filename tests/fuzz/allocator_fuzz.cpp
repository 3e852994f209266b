// SPDX-License-Identifier: Apache-2.0
// The heap under libFuzzer: allocator_ops.h.

#include "allocator_ops.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::run_allocator_ops(data, size);
  return 0;
}
