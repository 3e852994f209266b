// SPDX-License-Identifier: Apache-2.0
#include "jobs/retry.h"

#include <algorithm>

namespace zokiod::jobs {

bool may_retry(const model::RetryPolicy& policy, uint32_t failures) {
  return failures < std::max(policy.attempts_max, 1u);
}

zokio::Duration backoff(const model::RetryPolicy& policy, uint32_t failures) {
  const auto initial =
      policy.backoff_initial.count() > 0 ? policy.backoff_initial : kBackoffInitial;
  const auto most = policy.backoff_max.count() > 0 ? policy.backoff_max : kBackoffMax;
  zokio::Duration wait = std::min(initial, most);
  for (uint32_t i = 1; i < failures && wait < most; ++i) wait = wait > most / 2 ? most : wait * 2;
  return wait;
}

}  // namespace zokiod::jobs
