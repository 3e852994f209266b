// SPDX-License-Identifier: Apache-2.0
// file.copy: copies one file, and believes only what it read back.
//
//   read source -> digest + write temporary file -> fsync -> drop it from the page cache ->
//   read it again, compare digests -> rename
//
// Blocks of zeros are not written: a sparse file stays sparse.

#include <fmt/format.h>

#include "kinds/catalog.h"
#include "kinds/paths.h"
#include "kinds/transform.h"

namespace zokiod::kinds {
namespace {

using model::FileCopyResult;
using model::FileCopySpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;

const FileCopySpec& spec_of(const model::JobSpec& spec) {
  return std::get<FileCopySpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  check_transform(spec_of(job).source, spec_of(job).destination, "spec.file_copy", out);
}

bool allowed(const Policy& policy) {
  return !policy.roots.empty();
}

model::Reported<> authorize(const model::JobSpec& job, const Policy& policy) {
  return authorize_transform(spec_of(job).source, spec_of(job).destination, policy);
}

Task<model::Reported<FileCopyResult>> write_copy(Transform& t) {
  // Both passes count: what is read, and what is read back.
  WriteSink sink(t.context, &t.target.file(), 0, 2 * t.source_size);
  const Result<uint64_t> copied = co_await stream_file(t.source, sink);
  Result<void> ended;
  if (copied) ended = co_await sink.finish(*copied);
  if (!copied || !ended)
    co_return path_error(copied ? ended.error() : copied.error(),
                         sink.write_failed ? "write" : "read",
                         sink.write_failed ? t.destination_path : t.source_path);
  co_return FileCopyResult{*copied, sink.digest.xxh3(), sink.digest.sha256()};
}

Task<model::Reported<Finished>> copy(Transform& t) {
  auto result = co_await write_copy(t);
  if (!result) co_return std::unexpected(std::move(result.error()));
  auto synced = co_await before_reading_back(t);
  if (!synced) co_return std::unexpected(synced.error());
  WriteSink reading(t.context, nullptr, result->bytes, 2 * result->bytes);
  const Result<uint64_t> back = co_await stream_file(t.target.file(), reading);
  if (!back) co_return path_error(back.error(), "read back", t.destination_path);
  const std::string read_xxh3 = reading.digest.xxh3();
  const std::string read_sha256 = reading.digest.sha256();
  if (*back != result->bytes || read_xxh3 != result->xxh3 || read_sha256 != result->sha256)
    co_return model::refuse(
        Errc::DataLoss, "VERIFY_FAILED",
        fmt::format("{}: wrote {} bytes with SHA-256 {}, read back {} bytes with {}",
                    t.destination_path, result->bytes, result->sha256, *back, read_sha256));
  model::Reported<> committed = co_await t.target.commit(t.overwrite);
  if (!committed) co_return std::unexpected(std::move(committed.error()));
  t.context.write_log(fmt::format("{} bytes, sha256 {}\n", result->bytes, result->sha256));
  co_return Finished{*result, {}};
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const FileCopySpec& spec = spec_of(context.job().spec);
  co_return co_await transform_file(context, spec.source, spec.destination, spec.overwrite, &copy);
}

}  // namespace

const KindInfo kFileCopy = {.name = FileCopySpec::kKind,
                            .summary = "copies a file and compares what was written",
                            .allowed = allowed,
                            .validate = validate,
                            .authorize = authorize,
                            .run = run};

}  // namespace zokiod::kinds
