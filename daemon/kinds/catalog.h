// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every kind by name. Each is defined at the end of the file of its name.

#include "kinds/kind.h"

namespace zokiod::kinds {

extern const KindInfo kExec;            // exec.cpp
extern const KindInfo kFileChecksum;    // file_checksum.cpp
extern const KindInfo kFileCopy;        // file_copy.cpp
extern const KindInfo kSyntheticAlloc;  // synthetic_alloc.cpp
extern const KindInfo kSyntheticFile;   // synthetic_file.cpp
extern const KindInfo kSyntheticSpawn;  // synthetic_spawn.cpp

}  // namespace zokiod::kinds
