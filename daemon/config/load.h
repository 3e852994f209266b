// SPDX-License-Identifier: Apache-2.0
#pragma once

// File and flags -> Config, with every error at once.
//
// Each error says where: "zokiod.toml:3:11: workers: 999 is above 256". Thread: pure functions
// apart from reading the file.

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace zokiod::config {

inline constexpr std::string_view kDefaultPath = "/etc/zokio/zokiod.toml";
// A configuration is a page or two; a larger file is a mistake.
inline constexpr size_t kFileBytesMax = 1 << 20;

// Where a value was written.
struct Origin {
  std::string source;  // file name, or the flag: "--set workers=4"
  uint32_t line = 0;   // 0: a flag
  uint32_t column = 0;
};

struct Problem {
  Origin origin;
  std::string message;
  // "zokiod.toml:3:11: message", or "--set workers=4: message".
  std::string to_string() const;
};
using Problems = std::vector<Problem>;
std::string to_string(const Problems& problems);  // one line each

// One value from the command line; wins over the file.
struct Override {
  std::string key;
  std::string value;  // TOML, or bare text where the field is text
  std::string flag;   // as the user wrote it
};

struct Request {
  std::string path;  // empty: kDefaultPath when it exists, else the defaults alone
  std::vector<Override> overrides;
};

std::expected<Config, Problems> load(const Request& request);
// The same from text. `name` stands in the messages.
std::expected<Config, Problems> parse(std::string_view text, std::string_view name,
                                      const std::vector<Override>& overrides = {});

// Rules across fields. Appends to `out`; `origins` says where each key was set.
void check(const Config& config, const std::map<std::string, Origin>& origins, Problems& out);

// "127.0.0.1:9464" and "[::1]:9464" -> host and port. False: not an address.
bool split_address(std::string_view text, std::string& host, uint16_t& port);

}  // namespace zokiod::config
