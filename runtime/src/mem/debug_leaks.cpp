// SPDX-License-Identifier: Apache-2.0
// The blocks in use, by who allocated them.

#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "mem/debug_heap.h"
#include "mem/debug_report.h"
#include "zokio/mem/debug.h"

namespace zokio::mem::debug {
namespace {

constexpr unsigned kMostWritten = 40;

LiveSite site_at(const Census& census, std::size_t index) noexcept {
  const Stack stack = stack_of(static_cast<uint32_t>(index / kPools));
  return {.pool = static_cast<PoolId>(index % kPools),
          .blocks = census.totals[index].blocks,
          .bytes = census.totals[index].bytes,
          .depth = stack.depth,
          .frames = stack.frames};
}

}  // namespace

std::vector<LiveSite> leak_report() {
  const Census census = count_blocks();
  std::vector<LiveSite> out;
  for (std::size_t i = 0; i < census.count; ++i)
    if (census.totals[i].blocks != 0) out.push_back(site_at(census, i));
  free_census(census);
  std::ranges::sort(out, [](const LiveSite& a, const LiveSite& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.blocks > b.blocks;
  });
  return out;
}

void write_leak_report(int file) noexcept {
  const Census census = count_blocks();
  Totals all;
  std::size_t places = 0;
  for (std::size_t i = 0; i < census.count; ++i) {
    all.blocks += census.totals[i].blocks;
    all.bytes += census.totals[i].bytes;
    places += census.totals[i].blocks != 0;
  }
  char line[160];
  std::snprintf(line, sizeof line,
                "zokio: memory: %" PRIu64 " blocks with %" PRIu64
                " bytes in use, from %zu places\n",
                all.blocks, all.bytes, places);
  write_text(file, line);
  Totals* const end = census.totals + census.count;
  for (unsigned i = 0; i < std::min<std::size_t>(kMostWritten, places); ++i) {
    Totals* const most = std::max_element(census.totals, end, [](const Totals& a, const Totals& b) {
      return a.bytes != b.bytes ? a.bytes < b.bytes : a.blocks < b.blocks;
    });
    const LiveSite site = site_at(census, static_cast<std::size_t>(most - census.totals));
    std::snprintf(line, sizeof line, "%" PRIu64 " blocks with %" PRIu64 " bytes of pool %s",
                  site.blocks, site.bytes, pool_name(site.pool).data());
    write_stack(file, line, {.depth = site.depth, .frames = site.frames});
    *most = {};
  }
  if (places > kMostWritten) write_text(file, " and others with less\n");
  free_census(census);
}

void report_leaks_at_exit() noexcept {
  write_leak_report(STDERR_FILENO);
}

}  // namespace zokio::mem::debug
