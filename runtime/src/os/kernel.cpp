// SPDX-License-Identifier: Apache-2.0
#include "os/kernel.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "os/ring.h"

namespace zokio::os {
namespace {

std::string uring_sysctl() {
  std::ifstream file("/proc/sys/kernel/io_uring_disabled");
  std::string value;
  return file >> value ? value : "absent";
}

std::string refusal(int error) {
  std::string text(errno_name(error));
  text += ": io_uring_setup refused";
  if (error == EPERM) text += " (seccomp or kernel.io_uring_disabled=" + uring_sysctl() + ")";
  if (error == ENOSYS) text += " (seccomp, or a kernel without io_uring or older than 5.11)";
  if (error == ENOMEM) text += " (memory or locked-memory limit)";
  if (error == EMFILE || error == ENFILE) text += " (descriptor limit)";
  return text;
}

// Opcodes without which the backend would be no use; the others are replaced one by one.
constexpr uint8_t kNeededOpcodes[] = {IORING_OP_READ,     IORING_OP_WRITE,       IORING_OP_RECV,
                                      IORING_OP_SEND,     IORING_OP_ACCEPT,      IORING_OP_CONNECT,
                                      IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL};

void read_opcodes(Ring& ring, UringProbe& probe) {
  // One header and 256 entries: all that the interface can ever report.
  constexpr unsigned kMaxOpcodes = 256;
  std::unique_ptr<io_uring_probe, decltype(&std::free)> table(
      static_cast<io_uring_probe*>(
          std::calloc(1, sizeof(io_uring_probe) + kMaxOpcodes * sizeof(io_uring_probe_op))),
      &std::free);
  if (!table) return;
  const int rc = io_uring_register(static_cast<unsigned>(ring.fd()), IORING_REGISTER_PROBE,
                                   table.get(), kMaxOpcodes);
  if (rc < 0) return;
  for (unsigned i = 0; i < std::min<unsigned>(table->ops_len, kMaxOpcodes); ++i) {
    if ((table->ops[i].flags & IO_URING_OP_SUPPORTED) != 0) probe.opcodes.set(table->ops[i].op);
  }
}

}  // namespace

UringProbe probe_uring(unsigned entries) {
  UringProbe probe;
  auto ring = Ring::open({.entries = entries});
  if (!ring) {
    probe.error = ring.error().os_errno;
    probe.reason = refusal(probe.error);
    return probe;
  }
  probe.setup_flags = (*ring)->setup_flags();
  probe.entries = (*ring)->entries();
  probe.features = (*ring)->features();
  read_opcodes(**ring, probe);
  for (uint8_t opcode : kNeededOpcodes) {
    if (probe.supports(opcode)) continue;
    probe.error = ENOSYS;
    probe.reason = "ENOSYS: io_uring lacks opcode " + std::to_string(opcode);
    return probe;
  }
  probe.usable = true;
  return probe;
}

}  // namespace zokio::os
