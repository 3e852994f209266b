// SPDX-License-Identifier: Apache-2.0
#include "config/units.h"

#include <array>
#include <charconv>

namespace zokiod::config {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};
// Largest first: formatting takes the first that divides.
constexpr std::array<Unit, 4> kByteUnits = {
    {{"TiB", 1ull << 40}, {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}}};
constexpr std::array<Unit, 6> kSpanUnits = {{{"h", 3'600'000'000'000},
                                             {"m", 60'000'000'000},
                                             {"s", 1'000'000'000},
                                             {"ms", 1'000'000},
                                             {"us", 1'000},
                                             {"ns", 1}}};

// Splits "64KiB" into 64 and "KiB".
bool split(std::string_view text, uint64_t& number, std::string_view& unit) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{}) return false;
  unit = {stop, static_cast<size_t>(end - stop)};
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  return true;
}

template <size_t N>
std::string format(uint64_t value, const std::array<Unit, N>& units, std::string_view rest) {
  if (value != 0) {
    for (const Unit& unit : units)
      if (value % unit.factor == 0)
        return std::to_string(value / unit.factor) + std::string(unit.name);
  }
  return std::to_string(value) + std::string(rest);
}

}  // namespace

std::optional<Bytes> parse_bytes(std::string_view text) {
  uint64_t number = 0;
  std::string_view name;
  if (!split(text, number, name)) return std::nullopt;
  if (name.empty() || name == "B") return Bytes{number};
  for (const Unit& unit : kByteUnits) {
    if (name != unit.name && name != unit.name.substr(0, 1)) continue;
    if (number > UINT64_MAX / unit.factor) return std::nullopt;
    return Bytes{number * unit.factor};
  }
  return std::nullopt;
}

std::string format_bytes(Bytes bytes) {
  return format(bytes.count, kByteUnits, "");
}

std::optional<Span> parse_span(std::string_view text) {
  uint64_t number = 0;
  std::string_view name;
  if (!split(text, number, name)) return std::nullopt;
  if (name.empty()) return number == 0 ? std::optional(Span{}) : std::nullopt;
  for (const Unit& unit : kSpanUnits) {
    if (name != unit.name) continue;
    if (number > static_cast<uint64_t>(INT64_MAX) / unit.factor) return std::nullopt;
    return Span{zokio::Duration(static_cast<int64_t>(number * unit.factor))};
  }
  return std::nullopt;
}

std::string format_span(Span span) {
  return format(static_cast<uint64_t>(span.value.count()), kSpanUnits, "s");
}

}  // namespace zokiod::config
