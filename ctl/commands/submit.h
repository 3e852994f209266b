// SPDX-License-Identifier: Apache-2.0
#pragma once

// What submit, run and job wait share: making a request, and waiting for its end.
// Thread: one.

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "commands/command.h"
#include "interrupt.h"

namespace zokioctl {

struct SubmitFlags {
  std::vector<std::string> fields;  // --set
  std::vector<std::string> labels;
  std::string queue;
  int32_t priority = 0;
  uint32_t attempts = 0;
  std::chrono::nanoseconds timeout{};
  std::chrono::nanoseconds backoff{};
  std::chrono::nanoseconds delay{};
  std::chrono::nanoseconds deadline{};
  std::vector<std::string> after;
  std::string on_failure;
  uint32_t crashes = 0;
  std::string request_id;
};

void add_submit_flags(CLI::App& command, SubmitFlags& flags);

// `words`: positional ones; `rest`: what followed "--".
std::expected<void, Failure> make_request(v1::SubmitJobRequest& request, const std::string& kind,
                                          const std::vector<std::string>& words,
                                          const std::vector<std::string>& rest,
                                          const SubmitFlags& flags);

// Waits for all, prints each when its turn comes, returns 0 when all succeeded. `timeout`: for all
// together; 0: none. Ctrl-C detaches.
int wait_for_jobs(Context& context, Interrupt& interrupt, const std::vector<std::string>& ids,
                  std::chrono::nanoseconds timeout);

}  // namespace zokioctl
