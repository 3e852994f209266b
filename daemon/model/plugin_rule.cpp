// SPDX-License-Identifier: Apache-2.0
#include "model/plugin_rule.h"

#include <algorithm>

namespace zokiod::model {
namespace {

constexpr size_t kNameBytesMax = 63;
constexpr size_t kSha256Digits = 64;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

bool is_plugin_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.';
  });
}

std::optional<PluginRule> parse_plugin_rule(std::string_view text) {
  const size_t first = text.find(' ');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = text.find(' ', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  PluginRule out{std::string(text.substr(0, first)),
                 std::string(text.substr(first + 1, second - first - 1)),
                 std::string(text.substr(second + 1))};
  const bool digest =
      out.sha256.size() == kSha256Digits &&
      std::ranges::all_of(out.sha256, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
  if (!is_plugin_name(out.name) || !digest || !out.path.starts_with('/')) return std::nullopt;
  return out;
}

}  // namespace zokiod::model
