// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <ostream>

#include "output.h"

namespace zokioctl {
namespace {

// Columns on a terminal; continuation bytes of UTF-8 take none.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

void print_row(std::ostream& out, const std::vector<std::string>& row,
               const std::vector<size_t>& widths) {
  std::string line;
  for (size_t i = 0; i < row.size(); ++i) {
    line += row[i];
    if (i + 1 < row.size()) line.append(widths[i] - width_of(row[i]) + 2, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out << line << '\n';
}

}  // namespace

void Table::print(std::ostream& out, bool color) const {
  std::vector<size_t> widths(header_.size());
  for (size_t i = 0; i < header_.size(); ++i) widths[i] = width_of(header_[i]);
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size() && i < widths.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row[i]));
  if (color) out << "\033[1m";
  print_row(out, header_, widths);
  if (color) out << "\033[0m";
  for (const auto& row : rows_) print_row(out, row, widths);
}

}  // namespace zokioctl
