// SPDX-License-Identifier: Apache-2.0
// file.compress: a zstd file of one file, which is decompressed again before it gets its name.
//
//   read source -> digest + compress + write temporary file -> fsync -> drop it from the page cache
//   -> read it, decompress, compare digests -> rename
//
// Memory: three blocks and what the level asks for (3: 4 MiB, 19: 90 MiB), whatever the size.

#include <fmt/format.h>

#include "kinds/catalog.h"
#include "kinds/paths.h"
#include "kinds/transform.h"
#include "kinds/zstd_stream.h"

namespace zokiod::kinds {
namespace {

using model::FileCompressResult;
using model::FileCompressSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;

constexpr int32_t kLevelDefault = 3;
constexpr int32_t kLevelMax = 19;  // those above want memory by the gigabyte to read it, too

const FileCompressSpec& spec_of(const model::JobSpec& spec) {
  return std::get<FileCompressSpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  const FileCompressSpec& spec = spec_of(job);
  check_transform(spec.source, spec.destination, "spec.file_compress", out);
  if (spec.level < 0 || spec.level > kLevelMax)
    out.push_back({"spec.file_compress.level",
                   fmt::format("{} is not between 1 and {}", spec.level, kLevelMax)});
}

bool allowed(const Policy& policy) {
  return !policy.roots.empty();
}

model::Reported<> authorize(const model::JobSpec& job, const Policy& policy) {
  return authorize_transform(spec_of(job).source, spec_of(job).destination, policy);
}

Task<model::Reported<FileCompressResult>> write_compressed(Transform& t) {
  const int32_t level = spec_of(t.context.job().spec).level;
  // The reading back is counted as one more time the source.
  Compressor sink(t.context, t.target.file(), level ? level : kLevelDefault, 2 * t.source_size);
  const Result<uint64_t> read = co_await stream_file(t.source, sink);
  Result<void> ended;
  if (read) ended = co_await sink.finish();
  if (!read || !ended)
    co_return path_error(read ? ended.error() : read.error(),
                         sink.fault == ZstdFault::Write    ? "write"
                         : sink.fault == ZstdFault::Format ? "compress"
                                                           : "read",
                         sink.fault == ZstdFault::Write ? t.destination_path : t.source_path);
  co_return FileCompressResult{*read, sink.bytes_written(), sink.digest.xxh3(),
                               sink.digest.sha256()};
}

Task<model::Reported<>> read_back(Transform& t, const FileCompressResult& wanted) {
  Decompressor back(t.context, nullptr, wanted.bytes_read, wanted.bytes_read,
                    wanted.bytes_read + wanted.bytes_written);
  const Result<uint64_t> read = co_await stream_file(t.target.file(), back);
  const bool damaged = back.fault != ZstdFault::None;
  if (!read && !damaged) co_return path_error(read.error(), "read back", t.destination_path);
  const bool whole = read && back.finish();
  if (whole && back.bytes_written() == wanted.bytes_read && back.digest.xxh3() == wanted.xxh3 &&
      back.digest.sha256() == wanted.sha256)
    co_return model::Reported<>();
  co_return model::refuse(
      Errc::DataLoss, "VERIFY_FAILED",
      fmt::format("{}: what was compressed is not what comes back{}{}", t.destination_path,
                  back.format_error.empty() ? "" : ": ", back.format_error));
}

Task<model::Reported<Finished>> compress(Transform& t) {
  auto result = co_await write_compressed(t);
  if (!result) co_return std::unexpected(std::move(result.error()));
  auto synced = co_await before_reading_back(t);
  if (!synced) co_return std::unexpected(synced.error());
  auto verified = co_await read_back(t, *result);
  if (!verified) co_return std::unexpected(verified.error());
  co_return co_await commit_verified(t, *std::move(result));
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const FileCompressSpec& spec = spec_of(context.job().spec);
  co_return co_await transform_file(context, spec.source, spec.destination, spec.overwrite,
                                    &compress);
}

}  // namespace

const KindInfo kFileCompress = {
    .name = FileCompressSpec::kKind,
    .summary = "compresses a file with zstd and checks that it comes back",
    .allowed = allowed,
    .validate = validate,
    .authorize = authorize,
    .run = run};

}  // namespace zokiod::kinds
