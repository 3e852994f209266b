// SPDX-License-Identifier: Apache-2.0
#pragma once

// The fork and join problems, so that every program solves the same: fib(35), ten million leaves,
// twelve queens. Their answers are known.

#include <cstdint>

namespace bench {

inline constexpr unsigned kForkFib = 35;
inline constexpr uint64_t kForkFibValue = 9'227'465;
inline constexpr uint64_t kForkLeaves = 10'000'000;
inline constexpr unsigned kQueens = 12;
inline constexpr uint64_t kQueensSolutions = 14'200;

// A board by rows: one byte for the column of each queen placed, copied into each branch.
struct Board {
  uint8_t rows = 0;
  uint8_t column_of[kQueens] = {};

  bool full() const { return rows == kQueens; }
  bool free(unsigned column) const {
    for (unsigned row = 0; row < rows; ++row) {
      const unsigned other = column_of[row], apart = rows - row;
      if (other == column || other == column + apart || other + apart == column) return false;
    }
    return true;
  }
  Board with(unsigned column) const {
    Board next = *this;
    next.column_of[next.rows++] = static_cast<uint8_t>(column);
    return next;
  }
};

}  // namespace bench
