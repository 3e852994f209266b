// SPDX-License-Identifier: Apache-2.0
#include "kinds/transform.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cstring>

#include "kinds/paths.h"
#include "zokio/spawn.h"

namespace zokiod::kinds {
namespace {

using zokio::Result;
using zokio::Task;
using zokio::fs::File;

bool all_zero(zokio::Bytes bytes) {
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace

void check_transform(std::string_view source, std::string_view destination,
                     const std::string& field_prefix, Violations& out) {
  check_path(source, field_prefix + ".source", out);
  check_path(destination, field_prefix + ".destination", out);
  if (!source.empty() && source == destination)
    out.push_back({field_prefix + ".destination", "is the source"});
}

model::Reported<> authorize_transform(std::string_view source, std::string_view destination,
                                      const Policy& policy) {
  if (auto ok = authorize_path(source, policy); !ok) return ok;
  return authorize_path(destination, policy);
}

Task<model::Reported<Finished>> transform_file(JobContext& context, const std::string& source,
                                               const std::string& destination, bool overwrite,
                                               Transform::Make make) {
  Transform transform{context, source, destination, overwrite, {}, {}, 0};
  auto opened = co_await open_source(source, context.policy());
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  transform.source = *std::move(opened);
  const auto meta = co_await transform.source.stat();
  if (!meta) co_return path_error(meta.error(), "stat", source);
  transform.source_size = meta->size;
  auto target = co_await PendingFile::open(destination, context, meta->mode & 0777);
  if (!target) co_return std::unexpected(std::move(target.error()));
  transform.target = *std::move(target);
  model::Reported<Finished> done;
  const bool taken = co_await transform.target.exists();
  if (taken && !overwrite)  // early, to save the work; the rename decides
    done = path_error(zokio::Error::from_errno(EEXIST, "create"), "write to", destination);
  else
    done = co_await make(transform);
  if (!done) co_await transform.target.discard();
  co_return done;
}

Task<model::Reported<>> before_reading_back(Transform& transform) {
  const Result<void> synced = co_await transform.target.file().sync();
  if (!synced) co_return path_error(synced.error(), "sync", transform.destination_path);
  // So that the second reading is one of the disk where that can be had; advice, not a promise.
  static_cast<void>(::posix_fadvise(transform.target.file().fd(), 0, 0, POSIX_FADV_DONTNEED));
  co_return model::Reported<>();
}

Task<model::Reported<Finished>> commit_verified(Transform& transform,
                                                model::FileCompressResult result) {
  model::Reported<> committed = co_await transform.target.commit(transform.overwrite);
  if (!committed) co_return std::unexpected(std::move(committed.error()));
  transform.context.write_log(fmt::format("{} bytes -> {}, sha256 of the content {}\n",
                                          result.bytes_read, result.bytes_written, result.sha256));
  co_return Finished{std::move(result), {}};
}

Task<Result<zokio::mem::Buffer>> WriteSink::take(zokio::mem::Buffer buffer, uint64_t offset) {
  digest.update(buffer.bytes());
  done_ += buffer.size();
  context_.progress(done_, total_);
  if (to_ == nullptr || all_zero(buffer.bytes())) {
    // A long hole is read without a wait: others get their turn, and a stop is seen.
    if (zokio::cancelled()) co_return zokio::fail(zokio::Errc::Cancelled, "copy");
    co_return std::move(buffer);
  }
  const uint64_t end = offset + buffer.size();
  zokio::IoResult written = co_await to_->write_all_at(std::move(buffer), offset);
  if (!written.n) {
    write_failed = true;
    co_return zokio::fail(written.n.error());
  }
  written_end_ = std::max(written_end_, end);
  co_return std::move(written.buffer);
}

Task<Result<void>> WriteSink::finish(uint64_t size) {
  if (written_end_ == size) co_return Result<void>();
  write_failed = true;  // for the words of an error
  ZOKIO_CO_CHECKED(co_await to_->resize(size));
  write_failed = false;
  co_return Result<void>();
}

}  // namespace zokiod::kinds
