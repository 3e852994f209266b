// SPDX-License-Identifier: Apache-2.0
#pragma once

// The checksum of a tree of files, for every implementation that does it:
//
//   <program> tree <directory>
//
// lists the tree itself, reads every regular file in pieces of kPiece bytes, twice, on all
// processors, and prints {"files_per_second":N,"sum":"N"} for the second time. Everybody has the
// same XXH3. run.py makes the tree and compares the sums.

#include <atomic>
#include <cinttypes>
#include <string_view>

#include "wire.h"
#include "zokio/base/bytes.h"
#include "zokio/simd/checksum.h"

namespace bench::io {

inline constexpr std::size_t kPiece = 256 << 10;

// What came together. Thread: any.
class TreeSum {
 public:
  // `name` is below the root; the order of files does not matter.
  void add(std::string_view name, uint64_t content) noexcept {
    sum_.fetch_add(zokio::simd::xxh3(zokio::as_bytes(name), content), std::memory_order_relaxed);
    files_.fetch_add(1, std::memory_order_relaxed);
  }
  uint64_t sum() const noexcept { return sum_.load(std::memory_order_relaxed); }
  uint64_t files() const noexcept { return files_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> sum_{0};
  std::atomic<uint64_t> files_{0};
};

// `read_tree(TreeSum&)` is called twice. The exit code of the program.
template <class F>
int time_tree(F read_tree) {
  for (const bool warm_up : {true, false}) {
    TreeSum all;
    const int64_t start = now_ns();
    if (!read_tree(all)) die("tree");
    const double seconds = static_cast<double>(now_ns() - start) / 1e9;
    if (warm_up) continue;
    std::printf("{\"files_per_second\":%.1f,\"sum\":\"%016" PRIx64 "\"}\n",
                static_cast<double>(all.files()) / seconds, all.sum());
  }
  return 0;
}

}  // namespace bench::io
