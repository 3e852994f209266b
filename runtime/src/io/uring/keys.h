// SPDX-License-Identifier: Apache-2.0
#pragma once

// user_data: a key of the operation table, the same with the top bit for the request to cancel it,
// or the bell. No key has this slot index.

#include <cstdint>

namespace zokio::io {

inline constexpr uint64_t kCancelBit = uint64_t{1} << 63;
inline constexpr uint64_t kBellKey = ~kCancelBit;
inline constexpr uint64_t kBellCancelKey = ~uint64_t{0};

}  // namespace zokio::io
