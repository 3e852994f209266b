// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the kernel says about this process: memory, descriptors, threads, processor time.
// Thread: any. Cost: a few small files of /proc and one directory, well below a millisecond.

#include <cstdint>

namespace zokio::os {

// A figure that the kernel does not show (hidden /proc) stays 0.
struct ProcessStats {
  uint64_t rss_anon_bytes = 0;
  uint64_t rss_file_bytes = 0;
  uint64_t rss_shmem_bytes = 0;
  uint64_t swap_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_fds = 0;  // without the one that counting takes
  uint64_t max_fds = 0;   // soft limit
  uint64_t threads = 0;
  double cpu_user_seconds = 0;  // of all threads, ended ones included
  double cpu_system_seconds = 0;
  uint64_t context_switches_voluntary = 0;
  uint64_t context_switches_involuntary = 0;
  uint64_t page_faults_minor = 0;
  uint64_t page_faults_major = 0;
  double start_time_unix_seconds = 0;

  uint64_t resident_bytes() const { return rss_anon_bytes + rss_file_bytes + rss_shmem_bytes; }
  double cpu_seconds() const { return cpu_user_seconds + cpu_system_seconds; }
};

ProcessStats read_process_stats();

}  // namespace zokio::os
