// SPDX-License-Identifier: Apache-2.0
#pragma once

// For the calls that raise SIGPIPE and have no flag against it (splice, sendfile, write).
// Thread: lives on one, within one function.

#include <signal.h>

#include "zokio/base/pinned.h"

namespace zokio::os {

// While it lives, a SIGPIPE that this thread raises is swallowed; one that was pending before
// stays. Keeps errno.
class SigpipeBlock : Pinned {
 public:
  SigpipeBlock() noexcept;
  ~SigpipeBlock();

 private:
  sigset_t before_;
  bool was_pending_;
};

}  // namespace zokio::os
