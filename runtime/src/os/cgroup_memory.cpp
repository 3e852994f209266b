// SPDX-License-Identifier: Apache-2.0
#include "os/cgroup_memory.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>

namespace zokio::os {
namespace {

// Version 1 says "none" with a number near 2^63.
constexpr uint64_t kNoLimit = uint64_t{1} << 60;

// 0: no such file, "max", or no limit in other words.
uint64_t read_bytes(const std::string& path) {
  std::ifstream file(path);
  uint64_t bytes = 0;
  return (file >> bytes) && bytes < kNoLimit ? bytes : 0;
}

// The number behind `key` in a file of "key number" lines.
uint64_t read_key(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  std::string name;
  uint64_t value = 0;
  while (file >> name >> value)
    if (name == key) return value;
  return 0;
}

// "some avg10=0.00 avg60=0.00 avg300=0.00 total=12345"
uint64_t read_stalled(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  if (!(file >> word) || word != "some") return 0;
  while (file >> word)
    if (word.starts_with("total=")) return std::strtoull(word.c_str() + 6, nullptr, 10);
  return 0;
}

struct Files {
  const char* max;
  const char* high;
  const char* current;
  const char* idle;  // of memory.stat
};
constexpr Files kVersion2 = {"memory.max", "memory.high", "memory.current", "inactive_file"};
constexpr Files kVersion1 = {"memory.limit_in_bytes", "memory.soft_limit_in_bytes",
                             "memory.usage_in_bytes", "total_inactive_file"};

void look_at(const std::string& directory, const Files& files, CgroupMemory& out) {
  uint64_t limit = read_bytes(directory + "/" + files.max);
  const uint64_t high = read_bytes(directory + "/" + files.high);
  if (high != 0) limit = limit == 0 ? high : std::min(limit, high);
  if (limit == 0) return;
  const uint64_t current = read_bytes(directory + "/" + files.current);
  const uint64_t used =
      current - std::min(current, read_key(directory + "/memory.stat", files.idle));
  out.fullest = std::max(out.fullest, static_cast<double>(used) / static_cast<double>(limit));
  if (out.limit_bytes != 0 && out.limit_bytes <= limit) return;
  out.limit_bytes = limit;
  out.used_bytes = used;
}

// From `path` up to the root of the hierarchy at `mount`; in a container the path may name a group
// outside of it, and the root is the own group.
void look_upwards(const std::string& mount, std::string path, const Files& files,
                  CgroupMemory& out) {
  look_at(mount, files, out);
  while (path.size() > 1) {
    look_at(mount + path, files, out);
    path.resize(path.find_last_of('/'));
  }
}

void count_events(const std::string& directory, CgroupMemory& out) {
  out.events += read_key(directory + "/memory.events", "high") +
                read_key(directory + "/memory.events", "max");
  out.stalled_us += read_stalled(directory + "/memory.pressure");
}

}  // namespace

CgroupMemory cgroup_memory(const std::string& groups, const std::string& mount) {
  CgroupMemory out;
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    // "4:memory:/path", and "0::/path" for version 2.
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      look_upwards(mount, path, kVersion2, out);
      count_events(mount + (path == "/" ? "" : path), out);
    } else if (("," + controllers + ",").find(",memory,") != std::string::npos) {
      look_upwards(mount + "/memory", path, kVersion1, out);
    }
  }
  return out;
}

}  // namespace zokio::os
