// SPDX-License-Identifier: Apache-2.0
#include "os/numa.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace zokio::os {
namespace {

// Calls add(number) for each of a list such as "0-3,8". Longer ones than 4 KiB are cut.
template <class F>
void for_listed(const char* root, const char* name, F add) noexcept {
  char path[256];
  std::snprintf(path, sizeof path, "%s/%s", root, name);
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  char text[4096];
  const ssize_t read = ::read(file, text, sizeof text - 1);
  ::close(file);
  unsigned first = 0;
  unsigned number = 0;
  bool digits = false;
  bool range = false;
  for (ssize_t i = 0; i <= read; ++i) {
    const char c = i < read ? text[i] : ',';
    if (c >= '0' && c <= '9' && number < 1'000'000) {
      number = number * 10 + static_cast<unsigned>(c - '0');
      digits = true;
    } else if (c == '-' && digits) {
      first = number;
      range = true;
      number = 0;
      digits = false;
    } else {
      for (unsigned n = range ? first : number; digits && n <= number; ++n) add(n);
      number = 0;
      digits = range = false;
    }
  }
}

}  // namespace

NumaNodes load_numa_nodes(const char* root) noexcept {
  const int kept = errno;
  NumaNodes nodes;
  for_listed(root, "online", [&](unsigned node) {
    if (node == 0 || node >= kMaxNumaNodes) return;
    nodes.count = node + 1 > nodes.count ? node + 1 : nodes.count;
    char name[32];
    std::snprintf(name, sizeof name, "node%u/cpulist", node);
    for_listed(root, name, [&](unsigned cpu) {
      if (cpu < NumaNodes::kMaxCpus) nodes.of_cpu[cpu] = static_cast<uint8_t>(node);
    });
  });
  errno = kept;
  return nodes;
}

void prefer_numa_node(void* start, std::size_t bytes, unsigned node) noexcept {
  constexpr int kPreferred = 1;  // MPOL_PREFERRED of linux/mempolicy.h
  const int kept = errno;
  const unsigned long mask = 1ul << node;
  static_cast<void>(::syscall(SYS_mbind, start, bytes, kPreferred, &mask, 8 * sizeof mask, 0));
  errno = kept;
}

}  // namespace zokio::os
