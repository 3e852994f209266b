// SPDX-License-Identifier: Apache-2.0
#pragma once

// Orphans: processes that a command left behind and that outlived it become children of the daemon
// (it is the subreaper of its tree, and process 1 in a container). They are reaped here, and
// nothing else is: the children that somebody started and waits for are known by number. Thread:
// any; a start excludes a reaping.

#include <sys/types.h>

#include <functional>

namespace zokiod::lifecycle {

// Makes this process the one that orphans of its tree are given to.
void become_subreaper();

// The children of this process, by number. Reads /proc; empty where that cannot be had.
// Calls `visit` for each.
void for_each_child(const std::function<void(pid_t)>& visit);

// Takes the status of every ended child that `is_ours` does not know. Returns how many.
unsigned reap_orphans(const std::function<bool(pid_t)>& is_ours);

}  // namespace zokiod::lifecycle
