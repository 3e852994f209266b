// SPDX-License-Identifier: Apache-2.0
#pragma once

// A copy of a store that is in use, made by SQLite's backup interface over a connection of its own:
// it reads one state of the write-ahead log, so the writer goes on meanwhile.
// Thread: a thread that may block.

#include <cstdint>
#include <string>

#include "model/report.h"

namespace zokiod::store {

struct BackupInfo {
  std::string path;
  uint64_t bytes = 0;
  uint64_t jobs = 0;  // in the copy
};

// Copies the database file `from` to `directory`/`name`, checks the copy and syncs it; the name
// appears when it is whole. The directory is made, for its owner only, when it is missing.
// INVALID_FIELD (the name), BACKUP_EXISTS, DataLoss (the copy is not sound), errors of the disk.
model::Reported<BackupInfo> backup_database(const std::string& from, const std::string& directory,
                                            const std::string& name);

}  // namespace zokiod::store
