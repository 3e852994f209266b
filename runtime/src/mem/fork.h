// SPDX-License-Identifier: Apache-2.0
#pragma once

// A fork copies one thread and the locks of all. Between these two calls no other thread holds a
// lock of this module, so the child can go on. What other threads had in their caches is lost to
// the child: at most what one cache holds for each of them.
// Thread: the one that forks, around the fork; in the child the copy of it.

namespace zokio::mem {

void before_fork() noexcept;
void after_fork() noexcept;

}  // namespace zokio::mem
