// SPDX-License-Identifier: Apache-2.0
#include "config/reload.h"

#include <algorithm>

namespace zokiod::config {

Diff diff(const Config& from, const Config& to) {
  Diff out;
  for (const Field& field : fields()) {
    std::string before = to_toml(field, from);
    std::string after = to_toml(field, to);
    if (before != after)
      out.changes.push_back({field.key, field.takes, std::move(before), std::move(after)});
  }
  return out;
}

std::vector<std::string_view> Diff::restart_keys() const {
  std::vector<std::string_view> keys;
  for (const Change& change : changes)
    if (change.takes == Takes::Restart) keys.push_back(change.key);
  return keys;
}

bool Diff::has(std::string_view key) const {
  return std::ranges::find(changes, key, &Change::key) != changes.end();
}

}  // namespace zokiod::config
