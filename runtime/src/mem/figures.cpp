// SPDX-License-Identifier: Apache-2.0
// Figures by class, and their sums.

#include "mem/figures.h"

#include <algorithm>

#include "zokio/mem/pools.h"

namespace zokio::mem {
namespace {

// What was asked for on average, over the requests whose size was seen. Requests that find a block
// in their thread's magazine are not seen: of a lot of blocks the first is.
uint64_t requested(const ListFigures& list, uint64_t objects, uint64_t block_bytes) {
  if (list.asked_blocks == 0) return objects * block_bytes;
  const double mean =
      static_cast<double>(list.asked_bytes) / static_cast<double>(list.asked_blocks);
  return static_cast<uint64_t>(mean * static_cast<double>(objects));
}

ClassSnapshot read_class(Pool& pool, unsigned cls, const ClassUsage& use) {
  const ListFigures list = pool.list_figures(cls);
  const uint64_t bytes = class_bytes(cls);
  // A block counts as in use from its thread's count, as carved from the list's: at another moment.
  const uint64_t objects = std::min(use.objects(), list.blocks);
  return {.block_bytes = bytes,
          .in_use_bytes = objects * bytes,
          .cached_bytes = (list.blocks - objects) * bytes,
          .high_water_bytes = list.most_blocks * bytes,
          .objects_in_use = objects,
          .hits_thread = use.hits_thread,
          .hits_shared = use.hits_shared,
          .misses_os = use.fresh,
          .frees = use.frees,
          .refills = list.refills,
          .flushes = list.flushes,
          .remote_frees = pool.counts().classes[cls].remote_frees.read(),
          .central_locks = list.locks,
          .central_contended = list.contended,
          .committed_bytes = list.committed_bytes,
          .stranded_bytes = (list.free_blocks - list.empty_blocks) * bytes,
          .requested_bytes = requested(list, objects, bytes),
          .released_bytes = pool.counts().classes[cls].released_bytes.read()};
}

}  // namespace

std::vector<ClassSnapshot> class_snapshots(PoolId id) {
  Pool& p = pool(id);
  const ClassUsages uses = class_usages(p);
  std::vector<ClassSnapshot> out;
  for (unsigned cls = 0; cls < kClasses; ++cls) {
    ClassSnapshot each = read_class(p, cls, uses[cls]);
    if (each.high_water_bytes != 0) out.push_back(each);
  }
  return out;
}

void add_class_figures(Pool& pool, PoolSnapshot& out) {
  uint64_t blocks_held = 0;
  uint64_t blocks_in_use = 0;
  out.classes = class_snapshots(pool.id());
  for (const ClassSnapshot& each : out.classes) {
    blocks_held += each.in_use_bytes + each.cached_bytes;
    blocks_in_use += each.in_use_bytes;
    out.refills += each.refills;
    out.flushes += each.flushes;
    out.remote_frees += each.remote_frees;
    out.central_locks += each.central_locks;
    out.central_contended += each.central_contended;
    out.committed_bytes += each.committed_bytes;
    out.stranded_bytes += each.stranded_bytes;
    out.requested_bytes += each.requested_bytes;
  }
  // Large objects are whole pages, and rounded by less than one.
  const uint64_t held = out.in_use_bytes + out.cached_bytes;
  out.committed_bytes += held - std::min(blocks_held, held);
  out.requested_bytes += out.in_use_bytes - std::min(blocks_in_use, out.in_use_bytes);
  out.hit_ns = pool.counts().hit_ns.snapshot();
  out.miss_ns = pool.counts().miss_ns.snapshot();
}

}  // namespace zokio::mem
