// SPDX-License-Identifier: Apache-2.0
// The process as the kernel sees it: the standard names first.

#include "metrics/collect.h"

namespace zokiod::metrics {

void collect_process(Families& out, const Figures& figures) {
  const zokio::os::ProcessStats& p = figures.process;
  out.counter("process_cpu_seconds_total", "Processor time of the process.").add(p.cpu_seconds());
  out.gauge("process_resident_memory_bytes", "Resident memory.").add(p.resident_bytes());
  out.gauge("process_virtual_memory_bytes", "Virtual memory.").add(p.virtual_bytes);
  out.gauge("process_open_fds", "Open file descriptors.").add(p.open_fds);
  out.gauge("process_max_fds", "Limit of open file descriptors.").add(p.max_fds);
  out.gauge("process_threads", "Threads.").add(p.threads);
  out.gauge("process_start_time_seconds", "When the process started (unix time).")
      .add(p.start_time_unix_seconds);
  out.gauge("zokio_process_memory_bytes", "Memory by kind.")
      .add(p.rss_anon_bytes, {{"type", "rss_anon"}})
      .add(p.rss_file_bytes, {{"type", "rss_file"}})
      .add(p.rss_shmem_bytes, {{"type", "rss_shmem"}})
      .add(p.swap_bytes, {{"type", "swap"}});
  out.counter("zokio_process_context_switches_total", "Context switches of all threads.")
      .add(p.context_switches_voluntary, {{"type", "voluntary"}})
      .add(p.context_switches_involuntary, {{"type", "involuntary"}});
  out.counter("zokio_process_page_faults_total", "Page faults.")
      .add(p.page_faults_minor, {{"type", "minor"}})
      .add(p.page_faults_major, {{"type", "major"}});
}

}  // namespace zokiod::metrics
