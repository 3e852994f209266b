// SPDX-License-Identifier: Apache-2.0
#pragma once

// The log goes to standard error. Under systemd each line carries its priority and no time, because
// the journal has both; elsewhere it has a UTC time and the level.
// Thread: start_log in main; spdlog's functions from any thread.

#include <string>

namespace zokiod::lifecycle {

void start_log(const std::string& level);
// Also of a running daemon.
void set_log_level(const std::string& level);
// Whether standard error is the journal (JOURNAL_STREAM names it).
bool logs_to_journal();

}  // namespace zokiod::lifecycle
