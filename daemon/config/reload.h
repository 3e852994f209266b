// SPDX-License-Identifier: Apache-2.0
#pragma once

// The difference between two configurations, and whether a running daemon can take it.
// Thread: pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace zokiod::config {

struct Change {
  std::string_view key;
  Takes takes;
  std::string from;  // TOML
  std::string to;
};

struct Diff {
  std::vector<Change> changes;  // in the order of the file
  // Keys that need a new start; a reload that has any is refused as a whole.
  std::vector<std::string_view> restart_keys() const;
  bool has(std::string_view key) const;
};

Diff diff(const Config& from, const Config& to);

}  // namespace zokiod::config
