// SPDX-License-Identifier: Apache-2.0
#include "jobs/output.h"

#include <algorithm>
#include <utility>

#include "model/limits.h"

namespace zokiod::jobs {

LogChunk cut_chunk(std::string_view kept, uint64_t dropped, uint64_t offset, uint32_t attempt,
                   bool ended) {
  LogChunk chunk;
  chunk.attempt = attempt;
  const uint64_t total = dropped + kept.size();
  chunk.offset = std::clamp(offset, dropped, total);
  if (offset < dropped) chunk.dropped_bytes = dropped - offset;
  chunk.data = kept.substr(chunk.offset - dropped, model::kLogChunkBytesMax);
  chunk.next_offset = chunk.offset + chunk.data.size();
  chunk.end = ended && chunk.next_offset == total;
  return chunk;
}

void OutputBuffer::append(std::string_view text) {
  if (text.empty()) return;
  std::lock_guard lock(mutex_);
  data_ += text;
  if (data_.size() > 2 * limit_) {
    dropped_ += data_.size() - limit_;
    data_.erase(0, data_.size() - limit_);
  }
  wake();
}

void OutputBuffer::end() {
  std::lock_guard lock(mutex_);
  ended_ = true;
  wake();
}

void OutputBuffer::wake() {
  for (auto& follower : followers_) follower.send(true);
  followers_.clear();
}

LogChunk OutputBuffer::read(uint64_t offset, uint32_t attempt) {
  std::lock_guard lock(mutex_);
  return cut_chunk(data_, dropped_, offset, attempt, ended_);
}

zokio::sync::OneshotReceiver<bool> OutputBuffer::changed(uint64_t offset) {
  auto channel = zokio::sync::oneshot<bool>();
  std::lock_guard lock(mutex_);
  if (ended_ || dropped_ + data_.size() > offset)
    channel.first.send(true);
  else
    followers_.push_back(std::move(channel.first));
  return std::move(channel.second);
}

std::string OutputBuffer::kept() const {
  std::lock_guard lock(mutex_);
  return data_.size() > limit_ ? data_.substr(data_.size() - limit_) : data_;
}

uint64_t OutputBuffer::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_ + (data_.size() > limit_ ? data_.size() - limit_ : 0);
}

}  // namespace zokiod::jobs
