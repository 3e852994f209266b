// SPDX-License-Identifier: Apache-2.0
// file.decompress: the content of a zstd file, read back before it gets its name.
//
//   read source -> decompress (checksums of the frames) + digest + write temporary file -> fsync ->
//   drop it from the page cache -> read it again, compare digests -> rename
//
// Memory: three blocks and the window of the frame, at most 128 MiB. The size is bounded by the
// spec: a small file can have a content without end.

#include <fmt/format.h>

#include "kinds/catalog.h"
#include "kinds/paths.h"
#include "kinds/transform.h"
#include "kinds/zstd_stream.h"

namespace zokiod::kinds {
namespace {

using model::FileCompressResult;
using model::FileDecompressSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;

constexpr uint64_t kSizeMaxDefault = 1ull << 40;

const FileDecompressSpec& spec_of(const model::JobSpec& spec) {
  return std::get<FileDecompressSpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  check_transform(spec_of(job).source, spec_of(job).destination, "spec.file_decompress", out);
}

bool allowed(const Policy& policy) {
  return !policy.roots.empty();
}

model::Reported<> authorize(const model::JobSpec& job, const Policy& policy) {
  return authorize_transform(spec_of(job).source, spec_of(job).destination, policy);
}

std::unexpected<model::Report> failure(const Transform& t, const Decompressor& sink,
                                       zokio::Error error, uint64_t size_max) {
  switch (sink.fault) {
    case ZstdFault::Format:
      return model::refuse(
          Errc::DataLoss, "CORRUPT_INPUT",
          fmt::format("{} is no whole zstd file: {}", t.source_path, sink.format_error));
    case ZstdFault::TooLarge:
      return model::refuse(
          Errc::ResourceExhausted, "CONTENT_TOO_LARGE",
          fmt::format("the content of {} is above size_max_bytes, {}", t.source_path, size_max));
    case ZstdFault::Write:
      return path_error(error, "write", t.destination_path);
    case ZstdFault::None:
      break;
  }
  return path_error(error, "read", t.source_path);
}

Task<model::Reported<FileCompressResult>> write_content(Transform& t) {
  const uint64_t asked = spec_of(t.context.job().spec).size_max_bytes;
  const uint64_t size_max = asked ? asked : kSizeMaxDefault;
  Decompressor sink(t.context, &t.target.file(), size_max, 0, t.source_size);
  const Result<uint64_t> read = co_await stream_file(t.source, sink);
  if (!read) co_return failure(t, sink, read.error(), size_max);
  if (const Result<void> whole = sink.finish(); !whole)
    co_return failure(t, sink, whole.error(), size_max);
  co_return FileCompressResult{*read, sink.bytes_written(), sink.digest.xxh3(),
                               sink.digest.sha256()};
}

Task<model::Reported<Finished>> decompress(Transform& t) {
  auto result = co_await write_content(t);
  if (!result) co_return std::unexpected(std::move(result.error()));
  auto synced = co_await before_reading_back(t);
  if (!synced) co_return std::unexpected(synced.error());
  WriteSink back(t.context, nullptr, result->bytes_read,
                 result->bytes_read + result->bytes_written);
  const Result<uint64_t> read = co_await stream_file(t.target.file(), back);
  if (!read) co_return path_error(read.error(), "read back", t.destination_path);
  if (*read != result->bytes_written || back.digest.xxh3() != result->xxh3 ||
      back.digest.sha256() != result->sha256)
    co_return model::refuse(Errc::DataLoss, "VERIFY_FAILED",
                            t.destination_path + ": what was written is not what is read back");
  co_return co_await commit_verified(t, *std::move(result));
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const FileDecompressSpec& spec = spec_of(context.job().spec);
  co_return co_await transform_file(context, spec.source, spec.destination, spec.overwrite,
                                    &decompress);
}

}  // namespace

const KindInfo kFileDecompress = {.name = FileDecompressSpec::kKind,
                                  .summary = "writes the content of a zstd file",
                                  .allowed = allowed,
                                  .validate = validate,
                                  .authorize = authorize,
                                  .run = run};

}  // namespace zokiod::kinds
