// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/reaper.h"

#include <dirent.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace zokiod::lifecycle {

void become_subreaper() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

// The kernel lists children by the thread that they belong to.
void for_each_child(const std::function<void(pid_t)>& visit) {
  DIR* tasks = ::opendir("/proc/self/task");
  if (tasks == nullptr) return;
  while (const dirent* entry = ::readdir(tasks)) {
    if (entry->d_name[0] == '.') continue;
    std::ifstream in(std::string("/proc/self/task/") + entry->d_name + "/children");
    for (pid_t pid = 0; in >> pid;) visit(pid);
  }
  ::closedir(tasks);
}

unsigned reap_orphans(const std::function<bool(pid_t)>& is_ours) {
  unsigned reaped = 0;
  for_each_child([&](pid_t pid) {
    if (is_ours(pid)) return;
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == pid) ++reaped;
  });
  return reaped;
}

}  // namespace zokiod::lifecycle
