// SPDX-License-Identifier: Apache-2.0
#include "kinds/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "kinds/buffers.h"
#include "model/limits.h"

namespace zokiod::kinds {
namespace {

constexpr size_t kSha256Digits = 64;
constexpr size_t kXxh3Digits = 32;
constexpr size_t kReadBytes = 64 * 1024;

bool is_hexadecimal(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    if (text[i] == '\\')
      out += '\\';
    else if (text[i] == 'n')
      out += '\n';
    else if (text[i] == 'r')
      out += '\r';
    else
      return std::nullopt;
  }
  return out;
}

// "XXH3  SIZE  " at the front of `rest`: taken from it, and put into the line.
bool take_own_columns(std::string_view& rest, ManifestLine& line) {
  if (rest.size() < kXxh3Digits + 2 || !is_hexadecimal(rest.substr(0, kXxh3Digits)) ||
      rest.substr(kXxh3Digits, 2) != "  ")
    return false;
  const std::string_view after = rest.substr(kXxh3Digits + 2);
  uint64_t size = 0;
  const auto [end, error] = std::from_chars(after.data(), after.data() + after.size(), size);
  const auto digits = static_cast<size_t>(end - after.data());
  if (error != std::errc{} || after.substr(digits, 2) != "  ") return false;
  line.xxh3 = rest.substr(0, kXxh3Digits);
  line.size = size;
  rest = after.substr(digits + 2);
  return true;
}

// What is wrong with a path that has to stay in its tree; empty: nothing.
std::string wrong_path(std::string_view path) {
  if (path.empty()) return "no path";
  if (path.size() > model::kPathBytesMax) return "the path is too long";
  if (path.front() == '/') return "the path is absolute, want one relative to the tree";
  if (path.find('\0') != std::string_view::npos) return "the path has a NUL byte";
  for (size_t from = 0; from <= path.size();) {
    const size_t slash = std::min(path.find('/', from), path.size());
    if (path.substr(from, slash - from) == "..") return "the path has \"..\"";
    from = slash + 1;
  }
  return {};
}

}  // namespace

std::string escape_path(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else
      out += c;
  }
  return out;
}

std::string manifest_line(const ManifestLine& line) {
  return fmt::format("{}  {}  {}  {}", line.sha256, line.xxh3, line.size.value_or(0),
                     escape_path(line.path));
}

std::expected<ManifestLine, std::string> parse_manifest_line(std::string_view text) {
  ManifestLine line;
  const bool marked = text.starts_with('\\');
  if (marked) text.remove_prefix(1);
  if (text.size() < kSha256Digits + 2 || !is_hexadecimal(text.substr(0, kSha256Digits)))
    return std::unexpected("does not begin with a SHA-256 of 64 digits");
  line.sha256 = text.substr(0, kSha256Digits);
  std::string_view rest = text.substr(kSha256Digits);
  if (!rest.starts_with("  ") && !rest.starts_with(" *"))
    return std::unexpected("has no two spaces after the SHA-256");
  const bool binary = rest[1] == '*';
  rest.remove_prefix(2);
  const bool own = !marked && !binary && take_own_columns(rest, line);
  if (own || marked) {
    auto path = unescaped(rest);
    if (!path) return std::unexpected("the path has a bad escape");
    line.path = *std::move(path);
  } else {
    line.path = rest;
  }
  if (line.path.starts_with("./")) line.path.erase(0, 2);
  if (std::string wrong = wrong_path(line.path); !wrong.empty())
    return std::unexpected(std::move(wrong));
  return line;
}

zokio::Task<zokio::Result<std::optional<std::string>>> LineReader::next() {
  while (true) {
    const size_t newline = text_.find('\n', at_);
    const bool whole = newline != std::string::npos;
    const size_t end = whole ? newline : text_.size();
    if (end - at_ > kLineBytesMax) co_return zokio::fail(zokio::Errc::OutOfRange, "line");
    if (!whole && !ended_) {
      ZOKIO_CO_CHECKED(co_await refill());
      continue;
    }
    if (end == at_ && !whole) co_return std::optional<std::string>();
    std::optional<std::string> line = text_.substr(at_, end - at_);
    at_ = whole ? end + 1 : end;
    ++number_;
    co_return line;
  }
}

zokio::Task<zokio::Result<void>> LineReader::refill() {
  text_.erase(0, at_);
  at_ = 0;
  ZOKIO_CO_TRY(zokio::mem::Buffer buffer, co_await lease_patiently(kReadBytes));
  zokio::IoResult got = co_await file_.read_full_at(std::move(buffer), offset_);
  ZOKIO_CO_TRY(const size_t n, std::move(got.n));
  text_ += zokio::as_text(got.buffer.bytes());
  offset_ += n;
  ended_ = n < kReadBytes;
  co_return zokio::Result<void>();
}

}  // namespace zokiod::kinds
