// SPDX-License-Identifier: Apache-2.0
#include "config/queue_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "config/units.h"

namespace zokiod::config {
namespace {

constexpr size_t kNameBytesMax = 63;

template <class T>
std::string read_number(std::string_view text, T min, T max, T& out) {
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || at != text.data() + text.size() || out < min || out > max)
    return fmt::format("\"{}\" is no number of {} to {}", text, min, max);
  return {};
}

// "10/s", "100/5m", "10".
std::string read_rate(std::string_view text, QueueLine& out) {
  const size_t slash = text.find('/');
  if (auto wrong = read_number(text.substr(0, slash), 1u, 1'000'000u, out.rate); !wrong.empty())
    return wrong;
  if (slash == std::string_view::npos) return {};
  std::string span(text.substr(slash + 1));
  if (!span.empty() && (span[0] < '0' || span[0] > '9')) span.insert(0, "1");
  const auto interval = parse_span(span);
  if (!interval || interval->value < std::chrono::milliseconds(1) ||
      interval->value > std::chrono::hours(24))
    return fmt::format("\"{}\" is no rate such as 10/s, 100/5m", text);
  out.rate_interval = interval->value;
  return {};
}

std::string read_setting(std::string_view key, std::string_view value, QueueLine& out) {
  constexpr uint32_t kMany = 10'000'000;
  if (key == "priority") return read_number(value, -100, 100, out.priority);
  if (key == "shares") return read_number(value, 1u, 10'000u, out.shares);
  if (key == "concurrency") return read_number(value, 0u, kMany, out.concurrency);
  if (key == "size_limit") return read_number(value, 0u, kMany, out.size_limit);
  if (key == "burst") return read_number(value, 0u, 1'000'000u, out.burst);
  if (key == "rate") return read_rate(value, out);
  return "unknown; there are: priority shares concurrency size_limit rate burst";
}

bool is_name(std::string_view text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= kNameBytesMax && plain(text.front()) &&
         std::ranges::all_of(text,
                             [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
}

}  // namespace

std::expected<QueueLine, std::string> parse_queue_line(std::string_view text) {
  QueueLine out;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) continue;
    if (out.name.empty()) {
      if (!is_name(word))
        return std::unexpected(fmt::format(
            "\"{}\" is no name of 1 to {} of a-z 0-9 . _ -, the first a letter or digit", word,
            kNameBytesMax));
      out.name = word;
      continue;
    }
    const size_t equals = word.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
    if (auto wrong = read_setting(word.substr(0, equals), value, out); !wrong.empty())
      return std::unexpected(
          fmt::format("queue \"{}\": {}: {}", out.name, word.substr(0, equals), wrong));
  }
  if (out.name.empty()) return std::unexpected(std::string("an empty line; want NAME key=value"));
  return out;
}

}  // namespace zokiod::config
