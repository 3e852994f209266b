// SPDX-License-Identifier: Apache-2.0
#pragma once

// The journal on SQLite: write-ahead log, synchronous=FULL, one connection.
// The directory is locked, so that two daemons never share a store.

#include <memory>
#include <string>

#include "store/journal.h"

namespace zokiod::store {

// Opens or creates DIRECTORY/zokio.db. Errors: FailedPrecondition STORE_IN_USE (another daemon has
// it), STORE_NEWER; Unavailable and PermissionDenied with the path; DataLoss (not a database).
model::Reported<std::unique_ptr<Journal>> open_sqlite_journal(const std::string& directory);

}  // namespace zokiod::store
