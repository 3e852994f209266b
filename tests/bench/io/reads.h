// SPDX-License-Identifier: Apache-2.0
#pragma once

// Random reads of 4 KiB blocks, for every implementation that reads files:
//
//   <program> read <path> <direct: 0 or 1> <depth> <count>
//
// reads `count` blocks, `depth` at a time, in an order that all of them share, and prints
// {"ns_per_read":N}. A block begins with its number, mixed; the sum of what was read has to be the
// one that the order gives. run.py makes the file.

#include <fcntl.h>
#include <sys/stat.h>

#include <optional>

#include "wire.h"

namespace bench::io {

inline constexpr uint64_t kBlock = 4096;

inline uint64_t mixed(uint64_t block) {
  return SplitMix{block}.next();
}
inline uint64_t number_in(const void* block) {
  uint64_t value = 0;
  std::memcpy(&value, block, sizeof value);
  return value;
}

// The order. Thread: one.
class Reads {
 public:
  Reads(uint64_t blocks, uint64_t count) : blocks_(blocks), left_(count) {}

  std::optional<uint64_t> next() {
    if (left_ == 0) return std::nullopt;
    --left_;
    const uint64_t block = random_.next() % blocks_;
    expected_ += mixed(block);
    return block;
  }
  uint64_t expected() const { return expected_; }

 private:
  const uint64_t blocks_;
  uint64_t left_;
  uint64_t expected_ = 0;
  SplitMix random_{42};
};

// `read_all` returns the sum of the numbers in the blocks. The exit code of the program.
template <class F>
int time_reads(const char* path, uint64_t count, F read_all) {
  struct stat file{};
  if (stat(path, &file) != 0) die(path);
  const uint64_t blocks = static_cast<uint64_t>(file.st_size) / kBlock;
  double ns = 0;
  for (const uint64_t n : {count / 4, count}) {  // the first is the warm-up
    Reads reads(blocks, n);
    const int64_t start = now_ns();
    const uint64_t sum = read_all(reads);
    ns = static_cast<double>(now_ns() - start) / static_cast<double>(n);
    if (sum != reads.expected()) {
      std::fprintf(stderr, "what was read is not what the file has\n");
      return 1;
    }
  }
  std::printf("{\"ns_per_read\":%.1f,\"cpu_ns\":%lld}\n", ns, static_cast<long long>(cpu_ns()));
  return 0;
}

}  // namespace bench::io
