// SPDX-License-Identifier: Apache-2.0
#pragma once

// One file made of another: what file.copy, file.compress and file.decompress have in common.
// The source is opened for reading only; until the rename the destination is as it was, afterwards
// it is whole. Thread: one task.

#include <string>

#include "kinds/digest.h"
#include "kinds/kind.h"
#include "kinds/replace_file.h"
#include "kinds/stream.h"

namespace zokiod::kinds {

struct Transform {
  JobContext& context;
  const std::string& source_path;
  const std::string& destination_path;
  bool overwrite = false;
  // Open when `make` is called.
  zokio::fs::File source;
  PendingFile target;
  uint64_t source_size = 0;  // when it was opened

  // Writes, verifies and commits the target; on an error the rest is undone by who called it.
  using Make = zokio::Task<model::Reported<Finished>> (*)(Transform& transform);
};

void check_transform(std::string_view source, std::string_view destination,
                     const std::string& field_prefix, Violations& out);
model::Reported<> authorize_transform(std::string_view source, std::string_view destination,
                                      const Policy& policy);
// The paths live until it ends.
zokio::Task<model::Reported<Finished>> transform_file(JobContext& context,
                                                      const std::string& source,
                                                      const std::string& destination,
                                                      bool overwrite, Transform::Make make);
// Syncs what was written, and asks for it to be read from the disk afterwards.
zokio::Task<model::Reported<>> before_reading_back(Transform& transform);
// The last step of both directions of zstd: the verified target gets its name.
zokio::Task<model::Reported<Finished>> commit_verified(Transform& transform,
                                                       model::FileCompressResult result);

// Digests the blocks, and writes them to `to` when there is one; blocks of zeros become holes.
class WriteSink final : public BlockSink {
 public:
  WriteSink(JobContext& context, zokio::fs::File* to, uint64_t done, uint64_t total)
      : context_(context), to_(to), done_(done), total_(total) {}

  zokio::Task<zokio::Result<zokio::mem::Buffer>> take(zokio::mem::Buffer buffer,
                                                      uint64_t offset) override;
  // Gives the file its size when it ends in a hole.
  zokio::Task<zokio::Result<void>> finish(uint64_t size);

  Digest digest;
  bool write_failed = false;

 private:
  JobContext& context_;
  zokio::fs::File* to_;
  uint64_t done_, total_;
  uint64_t written_end_ = 0;
};

}  // namespace zokiod::kinds
