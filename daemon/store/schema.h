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
// `up_to`: no further than this step; for tests that need a file of an older program.
model::Reported<> migrate(Database& db, int up_to = schema_version());

}  // namespace zokiod::store
