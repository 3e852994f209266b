// SPDX-License-Identifier: Apache-2.0
// file.copy: copies one file, and believes only what it read back.
//
//   read source -> digest + write temporary file -> fsync -> drop it from the page cache ->
//   read it again, compare digests -> rename
//
// Until the rename the destination is as it was; afterwards it is whole.

#include <fcntl.h>
#include <fmt/format.h>

#include "kinds/catalog.h"
#include "kinds/digest.h"
#include "kinds/paths.h"
#include "kinds/replace_file.h"
#include "kinds/stream.h"

namespace zokiod::kinds {
namespace {

using model::FileCopyResult;
using model::FileCopySpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;
using zokio::fs::File;

const FileCopySpec& spec_of(const model::JobSpec& spec) {
  return std::get<FileCopySpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  check_path(spec_of(job).source, "spec.file_copy.source", out);
  check_path(spec_of(job).destination, "spec.file_copy.destination", out);
}

bool allowed(const Policy& policy) {
  return !policy.roots.empty();
}

model::Reported<> authorize(const model::JobSpec& job, const Policy& policy) {
  if (auto ok = authorize_path(spec_of(job).source, policy); !ok) return ok;
  return authorize_path(spec_of(job).destination, policy);
}

// Digests, and writes to `to` when there is one.
class CopySink final : public BlockSink {
 public:
  CopySink(JobContext& context, File* to, uint64_t done, uint64_t total)
      : context_(context), to_(to), done_(done), total_(total) {}

  Task<Result<zokio::mem::Buffer>> take(zokio::mem::Buffer buffer, uint64_t offset) override {
    digest.update(buffer.bytes());
    done_ += buffer.size();
    context_.progress(done_, total_);
    if (to_ == nullptr) co_return std::move(buffer);
    zokio::IoResult written = co_await to_->write_all_at(std::move(buffer), offset);
    if (!written.n) {
      write_failed = true;
      co_return zokio::fail(written.n.error());
    }
    co_return std::move(written.buffer);
  }

  Digest digest;
  bool write_failed = false;

 private:
  JobContext& context_;
  File* to_;
  uint64_t done_, total_;
};

Task<model::Reported<Finished>> copy(JobContext& context, File& source, PendingFile& target,
                                     uint64_t expected) {
  const FileCopySpec& spec = spec_of(context.job().spec);
  // Both passes count: what is read, and what is read back.
  CopySink writing(context, &target.file(), 0, 2 * expected);
  const Result<uint64_t> copied = co_await stream_file(source, writing);
  if (!copied)
    co_return writing.write_failed ? path_error(copied.error(), "write", spec.destination)
                                   : path_error(copied.error(), "read", spec.source);
  const Result<void> synced = co_await target.file().sync();
  if (!synced) co_return path_error(synced.error(), "sync", spec.destination);
  // So that the second reading is one of the disk where that can be had; advice, not a promise.
  static_cast<void>(::posix_fadvise(target.file().fd(), 0, 0, POSIX_FADV_DONTNEED));
  CopySink reading(context, nullptr, *copied, 2 * *copied);
  const Result<uint64_t> back = co_await stream_file(target.file(), reading);
  if (!back) co_return path_error(back.error(), "read back", spec.destination);
  FileCopyResult result{*copied, writing.digest.xxh3(), writing.digest.sha256()};
  const std::string read_xxh3 = reading.digest.xxh3();
  const std::string read_sha256 = reading.digest.sha256();
  if (*back != *copied || read_xxh3 != result.xxh3 || read_sha256 != result.sha256)
    co_return model::refuse(
        Errc::DataLoss, "VERIFY_FAILED",
        fmt::format("{}: wrote {} bytes with SHA-256 {}, read back {} bytes with {}",
                    spec.destination, *copied, result.sha256, *back, read_sha256));
  model::Reported<> committed = co_await target.commit(spec.overwrite);
  if (!committed) co_return std::unexpected(std::move(committed.error()));
  context.write_log(fmt::format("{} bytes, sha256 {}\n", result.bytes, result.sha256));
  co_return Finished{result, {}};
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const FileCopySpec& spec = spec_of(context.job().spec);
  auto rooted = co_await open_root(spec.source, context.policy());
  if (!rooted) co_return std::unexpected(std::move(rooted.error()));
  Result<File> source =
      co_await File::open_beneath(rooted->root, rooted->rest, {.regular_only = true});
  if (!source) co_return path_error(source.error(), "open", spec.source);
  const auto meta = co_await source->stat();
  if (!meta) co_return path_error(meta.error(), "stat", spec.source);
  auto target = co_await PendingFile::open(spec.destination, context, meta->mode & 0777);
  if (!target) co_return std::unexpected(std::move(target.error()));
  model::Reported<Finished> done;
  const bool taken = co_await target->exists();
  if (taken && !spec.overwrite)  // early, to save the copy; the rename decides
    done = path_error(zokio::Error::from_errno(EEXIST, "create"), "copy to", spec.destination);
  else
    done = co_await copy(context, *source, *target, meta->size);
  if (!done) co_await target->discard();
  co_return done;
}

}  // namespace

const KindInfo kFileCopy = {.name = FileCopySpec::kKind,
                            .summary = "copies a file and compares what was written",
                            .allowed = allowed,
                            .validate = validate,
                            .authorize = authorize,
                            .run = run};

}  // namespace zokiod::kinds
