// SPDX-License-Identifier: Apache-2.0
// CRC-32C by the instruction of ARMv8.1 (optional before). Scans and patterns are plain loops
// there, which the compiler makes vectors of where it can.

#if defined(__aarch64__)

#include <arm_acle.h>

#include "simd/kernels.h"

namespace zokio::simd {

[[gnu::target("crc")]] uint32_t crc32c_arm(uint32_t crc, const uint8_t* p, std::size_t n) noexcept {
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t word;
    __builtin_memcpy(&word, p, 8);
    crc = __crc32cd(crc, word);
  }
  for (; n > 0; ++p, --n) crc = __crc32cb(crc, *p);
  return crc;
}

}  // namespace zokio::simd

#endif
