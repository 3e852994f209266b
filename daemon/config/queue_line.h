// SPDX-License-Identifier: Apache-2.0
#pragma once

// One entry of jobs.queues: "NAME key=value ...". Thread: pure functions.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "zokio/base/clock.h"

namespace zokiod::config {

struct QueueLine {
  std::string name;
  int32_t priority = 0;
  uint32_t shares = 100;
  uint32_t concurrency = 0;
  uint32_t size_limit = 0;
  uint32_t rate = 0;
  uint32_t burst = 0;
  zokio::Duration rate_interval{};
};

// The error names the word that is wrong. Ranges are the engine's affair, but for the numbers that
// a reload could not refuse any more: those are checked here, too.
std::expected<QueueLine, std::string> parse_queue_line(std::string_view text);

}  // namespace zokiod::config
