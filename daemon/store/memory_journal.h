// SPDX-License-Identifier: Apache-2.0
#pragma once

// The journal in memory: the same rules, nothing survives. For tests and --ephemeral.

#include <memory>

#include "store/journal.h"

namespace zokiod::store {

std::unique_ptr<Journal> make_memory_journal();

}  // namespace zokiod::store
