// SPDX-License-Identifier: Apache-2.0
#include "io/stats.h"

#include <cerrno>

namespace zokio::io {

void IoShard::record(const OpTraits& traits, int64_t result, uint64_t duration_ns) noexcept {
  OpCounters& of = ops[static_cast<unsigned>(traits.kind)];
  if (result >= 0)
    of.ok.add();
  else if (result == -ECANCELED)
    of.cancelled.add();
  else
    of.error.add();
  if (result > 0 && traits.counts_bytes) of.bytes.add(static_cast<uint64_t>(result));
  of.duration_ns.record(duration_ns);
}

void IoShard::record_shared(const OpTraits& traits, int64_t result, uint64_t duration_ns) noexcept {
  OpCounters& of = ops[static_cast<unsigned>(traits.kind)];
  if (result >= 0)
    of.ok.add_shared();
  else if (result == -ECANCELED)
    of.cancelled.add_shared();
  else
    of.error.add_shared();
  if (result > 0 && traits.counts_bytes) of.bytes.add_shared(static_cast<uint64_t>(result));
  of.duration_ns.record_shared(duration_ns);
}

}  // namespace zokio::io
