// SPDX-License-Identifier: Apache-2.0
#include "sched/quota.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <utility>

#include "os/topology.h"

namespace zokio::sched {

QuotaFollower::QuotaFollower(std::string own_group, std::string mount)
    : own_group_(std::move(own_group)), mount_(std::move(mount)) {}

double QuotaFollower::read() const {
  std::ifstream file(own_group_);
  std::ostringstream groups;
  groups << file.rdbuf();
  const double quota = os::cgroup_cpu_quota(groups.str(), mount_);
  return quota >= os::kNoCpuQuota ? 0 : quota;
}

std::optional<unsigned> QuotaFollower::look(Instant now, unsigned most) {
  if (now < next_) return std::nullopt;
  next_ = now + kEvery;
  const double quota = read();
  quota_.store(quota, std::memory_order_relaxed);
  unsigned workers = most;
  if (quota > 0 && quota < most) workers = std::max(1u, static_cast<unsigned>(std::ceil(quota)));
  if (std::exchange(said_, workers) == workers) return std::nullopt;
  return workers;
}

}  // namespace zokio::sched
