// SPDX-License-Identifier: Apache-2.0
#pragma once

// zstd as block sinks: a block goes in, what comes of it is written behind what was written before.
// The library's work is done on the blocking pool, piece by piece, so that neither a high level nor
// a block that grows a thousandfold holds a worker or memory. Thread: one task.

#include <memory>
#include <string>

#include "kinds/digest.h"
#include "kinds/kind.h"
#include "kinds/stream.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace zokiod::kinds {

// Why it failed, where the error code does not say it.
enum class ZstdFault : uint8_t { None, Write, Format, TooLarge };

class Compressor final : public BlockSink {
 public:
  // Frames with a checksum. Progress counts the bytes read, of `total`.
  Compressor(JobContext& context, zokio::fs::File& to, int level, uint64_t total);
  zokio::Task<zokio::Result<zokio::mem::Buffer>> take(zokio::mem::Buffer buffer,
                                                      uint64_t offset) override;
  // Writes the end of the frame.
  zokio::Task<zokio::Result<void>> finish();

  uint64_t bytes_written() const { return written_; }
  Digest digest;  // of what came in
  ZstdFault fault = ZstdFault::None;

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  zokio::Task<zokio::Result<void>> pump(zokio::Bytes in, bool last);

  JobContext& context_;
  zokio::fs::File& to_;
  const uint64_t total_;
  std::unique_ptr<ZSTD_CCtx_s, Free> zstd_;
  zokio::mem::Buffer out_;
  uint64_t read_ = 0, written_ = 0;
};

class Decompressor final : public BlockSink {
 public:
  // `to` null: only the digest is wanted. Progress counts the bytes read, of `total`, from `done`.
  Decompressor(JobContext& context, zokio::fs::File* to, uint64_t size_max, uint64_t done,
               uint64_t total);
  zokio::Task<zokio::Result<zokio::mem::Buffer>> take(zokio::mem::Buffer buffer,
                                                      uint64_t offset) override;
  // DataLoss: the input ended in the middle of a frame, or has none.
  zokio::Result<void> finish();

  uint64_t bytes_written() const { return written_; }
  Digest digest;  // of what came out
  ZstdFault fault = ZstdFault::None;
  std::string format_error;  // with Format: the words of the library

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  zokio::Task<zokio::Result<void>> deliver(size_t size);

  JobContext& context_;
  zokio::fs::File* to_;
  const uint64_t size_max_;
  uint64_t done_;
  const uint64_t total_;
  std::unique_ptr<ZSTD_DCtx_s, Free> zstd_;
  zokio::mem::Buffer out_;
  uint64_t written_ = 0;
  size_t wanted_ = 1;  // of the library: 0 at the end of a frame
};

}  // namespace zokiod::kinds
