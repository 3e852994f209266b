// SPDX-License-Identifier: Apache-2.0
#pragma once

// The tables of the store, as numbered steps that only go forward (docs/store.md).
// PRAGMA user_version holds the number of the last step taken.

#include "store/sqlite.h"

namespace zokiod::store {

// The version that this program writes.
int schema_version();

// Takes the steps that are missing, each in its own transaction. FailedPrecondition: the file is of
// a newer program.
model::Reported<> migrate(Database& db);

}  // namespace zokiod::store
