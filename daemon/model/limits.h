// SPDX-License-Identifier: Apache-2.0
#pragma once

// Caps of the daemon, each with its reason. What an operator may want to change is in config.h.

#include <cstddef>
#include <cstdint>

namespace zokiod::model {

// A job's record stays small: payloads travel by path.
inline constexpr size_t kArgvCountMax = 256;
inline constexpr size_t kArgBytesMax = 64 * 1024;  // one argument; the kernel's own cap is 128 KiB
inline constexpr size_t kEnvCountMax = 64;
inline constexpr size_t kPathBytesMax = 4095;        // PATH_MAX less its terminator
inline constexpr size_t kSpecBytesMax = 128 * 1024;  // the whole spec as stored

inline constexpr size_t kLabelsMax = 16;
inline constexpr size_t kLabelBytesMax = 63;       // key, and value
inline constexpr size_t kRequestIdBytesMax = 128;  // a UUID has 36

inline constexpr int32_t kPriorityMin = -100;
inline constexpr int32_t kPriorityMax = 100;
inline constexpr uint32_t kAttemptsMax = 100;
inline constexpr int64_t kTimeoutMaxNs = 7ll * 24 * 3600 * 1'000'000'000;  // a week

// Queues are a node's handful: each has its series in the metrics, and a start looks at all of
// them.
inline constexpr size_t kQueuesMax = 128;
inline constexpr size_t kQueueNameBytesMax = 63;
inline constexpr uint32_t kQueueSharesMax = 10'000;
inline constexpr uint32_t kQueueRateMax = 1'000'000;
inline constexpr int64_t kQueueIntervalMaxNs = 24ll * 3600 * 1'000'000'000;

inline constexpr uint32_t kCrashesDefault = 10;
inline constexpr uint32_t kCrashesMax = 10'000;
// Jobs that one job comes after: each of them is looked at whenever one ends.
inline constexpr size_t kAfterMax = 64;
inline constexpr int64_t kDelayMaxNs = 366ll * 24 * 3600 * 1'000'000'000;  // a year

// Synthetic work is bounded so that one submit cannot take the node.
inline constexpr uint64_t kSyntheticTasksMax = 10'000'000;
inline constexpr uint64_t kSyntheticOperationsMax = 100'000'000;
inline constexpr uint64_t kSyntheticFileBytesMax = 64ull << 30;
inline constexpr uint64_t kSyntheticBlockBytesMax = 16ull << 20;

// Events kept for watchers: a subscriber that falls further behind is ended with a reason. 64 k
// events of about 100 bytes are 7 MB, and minutes of history at a thousand jobs a second.
inline constexpr size_t kEventHistoryMax = 64 * 1024;
inline constexpr size_t kSubscribersMax = 1024;

inline constexpr size_t kListPageMax = 1000;
inline constexpr size_t kLogChunkBytesMax = 256 * 1024;
// Writes that one transaction takes: bounds the wait of the first of them.
inline constexpr size_t kCommitBatchMax = 1024;

static_assert(kArgBytesMax < kSpecBytesMax);
static_assert(kPathBytesMax < kSpecBytesMax);

}  // namespace zokiod::model
