// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one part of writing JSON that is not just printing.

#include <cstdio>
#include <string>
#include <string_view>

namespace zokio::sched {

// Appends `text` as a JSON string.
inline void append_json(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof(code), "\\u%04x", static_cast<unsigned>(c));
      out += code;
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace zokio::sched
