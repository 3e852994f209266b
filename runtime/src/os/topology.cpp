// SPDX-License-Identifier: Apache-2.0
#include "os/topology.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

namespace zokio::os {
namespace {

unsigned affinity_cpus() {
  // The mask of a machine with more processors than cpu_set_t has bits needs a larger set.
  for (std::size_t cpus = CPU_SETSIZE; cpus <= (std::size_t{1} << 20); cpus *= 4) {
    cpu_set_t* set = CPU_ALLOC(cpus);
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(cpus);
    const int rc = sched_getaffinity(0, bytes, set);
    const int count = rc == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return static_cast<unsigned>(count);
  }
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? static_cast<unsigned>(online) : 1;
}

// "MAX PERIOD" or "max PERIOD".
double quota_v2(const std::string& directory) {
  std::ifstream file(directory + "/cpu.max");
  std::string max;
  double period = 0;
  if (!(file >> max >> period) || max == "max" || period <= 0) return kNoCpuQuota;
  std::istringstream number(max);
  double quota = 0;
  return (number >> quota) && quota > 0 ? quota / period : kNoCpuQuota;
}

double quota_v1(const std::string& directory) {
  std::ifstream quota_file(directory + "/cpu.cfs_quota_us");
  std::ifstream period_file(directory + "/cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) {
    return kNoCpuQuota;
  }
  return quota / period;
}

// The least quota from `path` up to the root of the hierarchy mounted at `mount`. In a container
// the path may name a group outside the mount; its root then is the container's own group.
template <class Read>
double least_quota(const std::string& mount, std::string path, Read read) {
  double least = read(mount);
  while (path.size() > 1) {
    least = std::min(least, read(mount + path));
    path.resize(path.find_last_of('/'));
  }
  return least;
}

}  // namespace

double cgroup_cpu_quota(const std::string& groups, const std::string& mount) {
  double least = kNoCpuQuota;
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    // "4:cpu,cpuacct:/path", and "0::/path" for version 2.
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") {
      least = std::min(least, least_quota(mount, path, quota_v2));
      least = std::min(least, least_quota(mount + "/unified", path, quota_v2));
    } else if (controllers.find(",cpu,") != std::string::npos) {
      least = std::min(least, least_quota(mount + "/cpu", path, quota_v1));
      least = std::min(least, least_quota(mount + "/cpu,cpuacct", path, quota_v1));
    }
  }
  return least;
}

uint32_t current_cpu() noexcept {
  const int cpu = sched_getcpu();
  return cpu >= 0 ? static_cast<uint32_t>(cpu) : 0;
}

CacheDomains CacheDomains::load(const std::string& root) {
  CacheDomains out;
  for (uint32_t cpu = 0;; ++cpu) {
    const std::string directory = root + "/cpu" + std::to_string(cpu) + "/cache/index";
    int largest = 0;
    uint32_t domain = 0;
    for (unsigned index = 0;; ++index) {
      std::ifstream level_file(directory + std::to_string(index) + "/level");
      int level = 0;
      if (!(level_file >> level)) break;
      std::ifstream list(directory + std::to_string(index) + "/shared_cpu_list");
      uint32_t first = 0;  // the list begins with its lowest: "0-3,8"
      if (level < largest || !(list >> first)) continue;
      largest = level;
      domain = first;
    }
    if (largest == 0) break;  // no such processor, or one that is off: the rest shares with all
    out.domains_.push_back(domain);
    if (domain != out.domains_.front()) out.one_ = false;
  }
  return out;
}

unsigned usable_cpus() {
  const unsigned by_affinity = affinity_cpus();
  std::ifstream file("/proc/self/cgroup");
  std::ostringstream groups;
  groups << file.rdbuf();
  const double quota = cgroup_cpu_quota(groups.str());
  if (quota >= by_affinity) return by_affinity;
  // Rounded up: with a quota of 1.5 two threads use it better than one.
  const auto by_quota =
      static_cast<unsigned>(quota) + (quota > static_cast<unsigned>(quota) ? 1 : 0);
  return std::max(1u, std::min(by_affinity, by_quota));
}

}  // namespace zokio::os
