// SPDX-License-Identifier: Apache-2.0
#include "zokio/os/process_stats.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>

namespace zokio::os {
namespace {

struct StatusField {
  std::string_view name;
  uint64_t ProcessStats::* field;
  uint64_t unit;  // /proc shows kB
};

constexpr std::array<StatusField, 6> kStatusFields = {{
    {"RssAnon:", &ProcessStats::rss_anon_bytes, 1024},
    {"RssFile:", &ProcessStats::rss_file_bytes, 1024},
    {"RssShmem:", &ProcessStats::rss_shmem_bytes, 1024},
    {"VmSwap:", &ProcessStats::swap_bytes, 1024},
    {"VmSize:", &ProcessStats::virtual_bytes, 1024},
    {"Threads:", &ProcessStats::threads, 1},
}};

void read_status(ProcessStats& stats) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    for (const StatusField& field : kStatusFields) {
      if (!line.starts_with(field.name)) continue;
      uint64_t value = 0;
      std::istringstream(line.substr(field.name.size())) >> value;
      stats.*field.field = value * field.unit;
    }
  }
}

void read_usage(ProcessStats& stats) {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return;
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  stats.cpu_user_seconds = seconds(usage.ru_utime);
  stats.cpu_system_seconds = seconds(usage.ru_stime);
  stats.context_switches_voluntary = static_cast<uint64_t>(usage.ru_nvcsw);
  stats.context_switches_involuntary = static_cast<uint64_t>(usage.ru_nivcsw);
  stats.page_faults_minor = static_cast<uint64_t>(usage.ru_minflt);
  stats.page_faults_major = static_cast<uint64_t>(usage.ru_majflt);
}

uint64_t count_fds() {
  std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), &closedir);
  if (!directory) return 0;
  uint64_t count = 0;
  while (const dirent* entry = readdir(directory.get())) count += entry->d_name[0] != '.';
  return count - 1;  // the directory itself
}

// Boot time plus field 22 of /proc/self/stat, in clock ticks.
double read_start_time() {
  std::ifstream boot("/proc/stat");
  double boot_seconds = 0;
  for (std::string line; std::getline(boot, line);) {
    if (line.starts_with("btime ")) std::istringstream(line.substr(6)) >> boot_seconds;
  }
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const auto name_end = line.rfind(')');  // the name may hold spaces and brackets
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  // The first field after the name is field 3.
  for (int field = 3; field < 22; ++field) fields >> skipped;
  double ticks = 0;
  fields >> ticks;
  return boot_seconds + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

ProcessStats read_process_stats() {
  static const double start_time = read_start_time();
  ProcessStats stats;
  read_status(stats);
  read_usage(stats);
  stats.open_fds = count_fds();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = limit.rlim_cur;
  stats.start_time_unix_seconds = start_time;
  return stats;
}

}  // namespace zokio::os
