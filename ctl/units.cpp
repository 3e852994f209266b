// SPDX-License-Identifier: Apache-2.0
#include "units.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace zokioctl {
namespace {

struct Number {
  double value;
  std::string_view unit;
};

std::optional<Number> split(std::string_view text) {
  size_t end = 0;
  while (end < text.size() &&
         (std::isdigit(static_cast<unsigned char>(text[end])) || text[end] == '.'))
    ++end;
  double value = 0;
  auto [at, error] = std::from_chars(text.data(), text.data() + end, value);
  if (end == 0 || error != std::errc{} || at != text.data() + end) return std::nullopt;
  return Number{value, text.substr(end)};
}

}  // namespace

std::optional<uint64_t> parse_bytes(std::string_view text) {
  if (text == "none") return 0;
  auto number = split(text);
  if (!number) return std::nullopt;
  std::string_view unit = number->unit;
  if (unit.ends_with('B') || unit.ends_with('b')) unit.remove_suffix(1);
  if (unit.size() == 2 && unit[1] == 'i') unit.remove_suffix(1);
  static constexpr std::string_view kUnits = "KMGT";
  double factor = 1;
  if (!unit.empty()) {
    const auto index =
        kUnits.find(static_cast<char>(std::toupper(static_cast<unsigned char>(unit[0]))));
    if (unit.size() != 1 || index == std::string_view::npos) return std::nullopt;
    factor = std::exp2(10.0 * static_cast<double>(index + 1));
  }
  const double bytes = number->value * factor;
  // 2^53: above, a double is not exact.
  if (bytes > 9007199254740992.0 || bytes != std::floor(bytes)) return std::nullopt;
  return static_cast<uint64_t>(bytes);
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  auto number = split(text);
  if (!number) return std::nullopt;
  static constexpr std::array<std::pair<std::string_view, double>, 8> kUnits = {{{"", 1e9},
                                                                                 {"ns", 1},
                                                                                 {"us", 1e3},
                                                                                 {"ms", 1e6},
                                                                                 {"s", 1e9},
                                                                                 {"m", 60e9},
                                                                                 {"h", 3600e9},
                                                                                 {"d", 86400e9}}};
  for (auto [unit, factor] : kUnits) {
    if (unit != number->unit) continue;
    const double ns = number->value * factor;
    // A hundred years: more is a mistake.
    if (ns > 100 * 365 * 86400e9) return std::nullopt;
    return std::chrono::nanoseconds(static_cast<int64_t>(ns));
  }
  return std::nullopt;
}

std::string format_bytes(uint64_t bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"", "Ki", "Mi", "Gi", "Ti"};
  size_t unit = 0;
  double value = static_cast<double>(bytes);
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, value == std::floor(value) ? "%.0f%s" : "%.1f%s", value,
                kUnits[unit]);
  return text;
}

std::string format_duration(std::chrono::nanoseconds value) {
  const double ns = static_cast<double>(value.count());
  char text[32];
  if (ns < 1e3)
    std::snprintf(text, sizeof text, "%.0fns", ns);
  else if (ns < 1e6)
    std::snprintf(text, sizeof text, "%.1fus", ns / 1e3);
  else if (ns < 1e9)
    std::snprintf(text, sizeof text, "%.1fms", ns / 1e6);
  else if (ns < 60e9)
    std::snprintf(text, sizeof text, "%.1fs", ns / 1e9);
  else if (ns < 3600e9)
    std::snprintf(text, sizeof text, "%dm%02ds", static_cast<int>(ns / 60e9),
                  static_cast<int>(std::fmod(ns / 1e9, 60)));
  else
    std::snprintf(text, sizeof text, "%dh%02dm", static_cast<int>(ns / 3600e9),
                  static_cast<int>(std::fmod(ns / 60e9, 60)));
  return text;
}

}  // namespace zokioctl
