// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every kind by name. Each is defined at the end of the file of its name.

#include "kinds/kind.h"

namespace zokiod::kinds {

extern const KindInfo kExec;              // exec.cpp
extern const KindInfo kFileChecksum;      // file_checksum.cpp
extern const KindInfo kFileCompress;      // file_compress.cpp
extern const KindInfo kFileCopy;          // file_copy.cpp
extern const KindInfo kFileDecompress;    // file_decompress.cpp
extern const KindInfo kFileScrub;         // file_scrub.cpp
extern const KindInfo kPlugin;            // plugin.cpp
extern const KindInfo kSyntheticAlloc;    // synthetic_alloc.cpp
extern const KindInfo kSyntheticChannel;  // synthetic_channel.cpp
extern const KindInfo kSyntheticFanout;   // synthetic_fanout.cpp
extern const KindInfo kSyntheticFile;     // synthetic_file.cpp
extern const KindInfo kSyntheticSpawn;    // synthetic_spawn.cpp
extern const KindInfo kSyntheticSpin;     // synthetic_spin.cpp
extern const KindInfo kSyntheticTcp;      // synthetic_tcp.cpp
extern const KindInfo kSyntheticTimer;    // synthetic_timer.cpp
extern const KindInfo kSyntheticYield;    // synthetic_yield.cpp
extern const KindInfo kTcpEcho;           // tcp_echo.cpp
extern const KindInfo kTcpProxy;          // tcp_proxy.cpp

}  // namespace zokiod::kinds
