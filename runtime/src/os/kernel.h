// SPDX-License-Identifier: Apache-2.0
#pragma once

// What this kernel, with the limits and filters of this process, lets us do.

#include <bitset>
#include <cstdint>
#include <string>

namespace zokio::os {

// The outcome of setting up a ring for real, from the best flags down.
struct UringProbe {
  bool usable = false;
  int error = 0;             // errno when not usable
  std::string reason;        // "EPERM: io_uring_setup refused (...)" when not usable
  unsigned setup_flags = 0;  // the best that was accepted
  unsigned entries = 0;      // of the submission queue, perhaps fewer than asked for
  std::string features;      // "single_issuer,defer_taskrun,..."
  std::bitset<256> opcodes;  // by number

  bool supports(uint8_t opcode) const noexcept { return opcodes.test(opcode); }
};

// Sets up a ring of `entries` and takes it down again. Thread: any; sets errno.
UringProbe probe_uring(unsigned entries);

}  // namespace zokio::os
