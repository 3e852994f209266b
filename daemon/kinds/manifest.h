// SPDX-License-Identifier: Apache-2.0
#pragma once

// The list of digests that file.checksum writes and file.scrub reads, which also reads that of
// sha256sum:
//
//   SHA256  XXH3  SIZE  PATH     PATH with "\\", "\n" and "\r" escaped
//   SHA256  PATH                 sha256sum; "\" before the line when PATH is escaped
//   SHA256 *PATH                 sha256sum -b
//
// Thread: pure functions; a LineReader belongs to one task.

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "model/report.h"
#include "zokio/fs/file.h"
#include "zokio/task/task.h"

namespace zokiod::kinds {

struct ManifestLine {
  std::string path;  // relative to the tree
  std::string sha256;
  std::string xxh3;              // empty: the line has none
  std::optional<uint64_t> size;  // nullopt: the line has none
};

// The path in one line: "\\", "\n" and "\r" escaped.
std::string escape_path(std::string_view path);
// Without its newline.
std::string manifest_line(const ManifestLine& line);
// The error says what is wrong with it, for people.
std::expected<ManifestLine, std::string> parse_manifest_line(std::string_view text);

// The lines of a file, one at a time; holds a buffer only while it reads.
class LineReader {
 public:
  explicit LineReader(zokio::fs::File& file) : file_(file) {}
  // Empty optional: the end. Errors: OutOfRange (a line above kLineBytesMax), those of reading.
  zokio::Task<zokio::Result<std::optional<std::string>>> next();
  uint64_t number() const { return number_; }  // of the line that next() gave; from 1

  // Two escaped paths of the longest kind, and the digests.
  static constexpr size_t kLineBytesMax = 10'000;

 private:
  zokio::Task<zokio::Result<void>> refill();

  zokio::fs::File& file_;
  uint64_t offset_ = 0;
  uint64_t number_ = 0;
  std::string text_;  // what was read and not given
  size_t at_ = 0;
  bool ended_ = false;
};

}  // namespace zokiod::kinds
