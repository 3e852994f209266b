// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>

#include <fmt/format.h>
#include <charconv>
#include <filesystem>
#include <set>

#include "config/load.h"
#include "config/queue_line.h"
#include "config/units.h"
#include "model/address_rules.h"
#include "model/plugin_rule.h"

namespace zokiod::config {
namespace {

// sun_path has 108 bytes; "/zokiod.sock" and the terminator need 13.
constexpr size_t kRuntimeDirBytesMax = 108 - 13;

class Checker {
 public:
  Checker(const std::map<std::string, Origin>& origins, Problems& out)
      : origins_(origins), out_(out) {}

  void say(std::string_view key, std::string message) {
    const auto it = origins_.find(std::string(key));
    const Origin origin = it == origins_.end() ? Origin{"default", 0, 0} : it->second;
    out_.push_back({origin, fmt::format("{}: {}", key, message)});
  }

  // Absolute and already in its plain form, so that what is checked is what is used.
  void directory(std::string_view key, const std::string& path) {
    const std::filesystem::path p(path);
    if (!p.is_absolute())
      say(key, fmt::format("\"{}\" is not an absolute path", path));
    else if (p.lexically_normal().native() != path || (path.size() > 1 && path.ends_with('/')))
      say(key, fmt::format("\"{}\" is not in its plain form; write \"{}\"", path, plain(p)));
  }

 private:
  static std::string plain(const std::filesystem::path& p) {
    std::string text = p.lexically_normal().string();
    if (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
  }

  const std::map<std::string, Origin>& origins_;
  Problems& out_;
};

bool parse_mode(const std::string& text) {
  unsigned mode = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, mode, 8);
  return error == std::errc{} && stop == end && mode <= 0777;
}

void check_pools(const Config& c, Checker& checker) {
  if (c.memory_limit.count == 0) return;
  const auto above = [&](std::string_view key, Bytes limit) {
    if (limit.count > c.memory_limit.count)
      checker.say(key, fmt::format("{} is above memory_limit ({})", format_bytes(limit),
                                   format_bytes(c.memory_limit)));
  };
  above("pools.frames_limit", c.pools.frames_limit);
  above("pools.buffers_limit", c.pools.buffers_limit);
  above("pools.heap_limit", c.pools.heap_limit);
  // Below this a daemon cannot start its own tasks.
  if (c.memory_limit.count < (1ull << 20))
    checker.say("memory_limit", fmt::format("{} is below 1MiB", format_bytes(c.memory_limit)));
}

void check_queues(const Config& c, Checker& checker) {
  std::set<std::string> names;
  for (const std::string& text : c.jobs.queues) {
    const auto line = parse_queue_line(text);
    if (!line)
      checker.say("jobs.queues", line.error());
    else if (!names.insert(line->name).second)
      checker.say("jobs.queues", fmt::format("queue \"{}\" has two lines", line->name));
  }
}

}  // namespace

bool split_address(std::string_view text, std::string& host, uint16_t& port) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view digits = text.substr(colon + 1);
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, port);
  if (error != std::errc{} || stop != end) return false;
  std::string_view name = text.substr(0, colon);
  in6_addr v6;
  in_addr v4;
  if (name.starts_with('[') && name.ends_with(']')) {
    host = name.substr(1, name.size() - 2);
    return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1;
  }
  host = name;
  return ::inet_pton(AF_INET, host.c_str(), &v4) == 1;
}

void check(const Config& c, const std::map<std::string, Origin>& origins, Problems& out) {
  Checker checker(origins, out);
  checker.directory("state_dir", c.state_dir);
  checker.directory("rpc.runtime_dir", c.rpc.runtime_dir);
  if (c.rpc.runtime_dir.size() > kRuntimeDirBytesMax)
    checker.say("rpc.runtime_dir", fmt::format("longer than {} bytes, the room of a socket's path",
                                               kRuntimeDirBytesMax));
  if (!parse_mode(c.rpc.socket_mode))
    checker.say("rpc.socket_mode",
                fmt::format("\"{}\" is not an octal mode such as \"0660\"", c.rpc.socket_mode));
  for (const std::string& root : c.policy.roots) checker.directory("policy.roots", root);
  for (const std::string& name : c.policy.exec_env)
    if (name.empty() || name.find('=') != std::string::npos)
      checker.say("policy.exec.env", fmt::format("\"{}\" is not the name of a variable", name));
  const auto networks = [&](const char* key, const std::vector<std::string>& rules) {
    for (const std::string& rule : rules)
      if (!model::is_address_rule(rule))
        checker.say(key, fmt::format("\"{}\" is no network such as \"10.0.0.0/8\", no address and "
                                     "not \"public\"",
                                     rule));
  };
  networks("policy.listen", c.policy.listen);
  networks("policy.connect", c.policy.connect);
  for (const std::string& line : c.policy.plugins)
    if (!model::parse_plugin_rule(line))
      checker.say("policy.plugins",
                  fmt::format("\"{}\" is not NAME SHA256 PATH with a name of a-z, "
                              "0-9, \"-_.\", 64 digits and an absolute path",
                              line));
  std::string host;
  uint16_t port = 0;
  if (!c.http.address.empty() && !split_address(c.http.address, host, port))
    checker.say("http.address",
                fmt::format("\"{}\" is not ADDRESS:PORT with a numeric address", c.http.address));
  check_queues(c, checker);
  check_pools(c, checker);
}

}  // namespace zokiod::config
