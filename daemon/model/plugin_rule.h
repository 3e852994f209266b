// SPDX-License-Identifier: Apache-2.0
#pragma once

// One line of policy.plugins: "NAME SHA256 PATH". Thread: pure functions.

#include <optional>
#include <string>
#include <string_view>

namespace zokiod::model {

struct PluginRule {
  std::string name;    // lower case letters, digits, "-", "_", "."
  std::string sha256;  // 64 hexadecimal digits, lower case
  std::string path;    // absolute
  friend bool operator==(const PluginRule&, const PluginRule&) = default;
};

std::optional<PluginRule> parse_plugin_rule(std::string_view text);
bool is_plugin_name(std::string_view name);

}  // namespace zokiod::model
