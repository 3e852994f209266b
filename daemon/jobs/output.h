// SPDX-License-Identifier: Apache-2.0
#pragma once

// The captured output of a running attempt: its last bytes, and tasks that follow it.
// Thread: any.

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/engine.h"
#include "zokio/sync/oneshot.h"

namespace zokiod::jobs {

// A part of an output of which the first `dropped` bytes are gone and `kept` are there.
LogChunk cut_chunk(std::string_view kept, uint64_t dropped, uint64_t offset, uint32_t attempt,
                   bool ended);

class OutputBuffer {
 public:
  explicit OutputBuffer(uint64_t limit_bytes) : limit_(limit_bytes) {}

  void append(std::string_view text);
  // No more comes. Wakes who follows.
  void end();

  LogChunk read(uint64_t offset, uint32_t attempt);
  // Resolves when there is something behind `offset`, or at the end of the attempt.
  zokio::sync::OneshotReceiver<bool> changed(uint64_t offset);

  // What is kept, and how many bytes before it are not. For the record of the attempt.
  std::string kept() const;
  uint64_t dropped() const;

 private:
  void wake();

  const uint64_t limit_;
  mutable std::mutex mutex_;
  // Guarded by mutex_. Holds up to twice the limit, so that old bytes leave in large pieces.
  std::string data_;
  uint64_t dropped_ = 0;
  bool ended_ = false;
  std::vector<zokio::sync::OneshotSender<bool>> followers_;
};

}  // namespace zokiod::jobs
