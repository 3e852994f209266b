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

zokio::Duration backoff_of(const model::Job& job) {
  const zokio::Duration wait = backoff(job.spec.retry, job.failures);
  // The low bytes of an id are random; the failure count makes each wait another one.
  uint64_t x = job.failures;
  for (size_t i = 8; i < job.id.bytes.size(); ++i) x = (x ^ job.id.bytes[i]) * 0x100000001b3ull;
  x ^= x >> 32;
  return wait - wait / 8 * static_cast<int64_t>(x % 1024) / 1024;
}

}  // namespace zokiod::jobs
