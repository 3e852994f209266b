// SPDX-License-Identifier: Apache-2.0
// synthetic.file: writes a scratch file with a known content, reads it back, compares, removes it.

#include <fmt/format.h>

#include <algorithm>

#include "kinds/buffers.h"
#include "kinds/catalog.h"
#include "kinds/mix.h"
#include "kinds/paths.h"
#include "kinds/synthetic.h"
#include "model/limits.h"
#include "zokio/fs/dir.h"
#include "zokio/fs/file.h"
#include "zokio/shield.h"
#include "zokio/simd/pattern.h"

namespace zokiod::kinds {
namespace {

using model::SyntheticFileSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;
using zokio::fs::File;
using zokio::mem::Buffer;

constexpr uint64_t kSizeDefault = 1 << 20;
constexpr uint32_t kBlockDefault = 64 * 1024;
constexpr uint32_t kBlockMin = 512;

const SyntheticFileSpec& spec_of(const model::JobSpec& spec) {
  return std::get<SyntheticFileSpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  const SyntheticFileSpec& spec = spec_of(job);
  if (spec.size_bytes > model::kSyntheticFileBytesMax)
    out.push_back({"spec.synthetic_file.size_bytes",
                   fmt::format("{} is above {}", spec.size_bytes, model::kSyntheticFileBytesMax)});
  if (spec.block_bytes != 0 &&
      (spec.block_bytes < kBlockMin || spec.block_bytes > model::kSyntheticBlockBytesMax))
    out.push_back({"spec.synthetic_file.block_bytes",
                   fmt::format("{} is not between {} and {}", spec.block_bytes, kBlockMin,
                               model::kSyntheticBlockBytesMax)});
}

struct Plan {
  uint64_t seed, size;
  uint32_t block;
  bool fsync;
  JobContext* context;
  uint64_t operations = 0;
};

// Bytes of the file from `offset` on, made of the seed and their place.
void fill(const Plan& plan, Buffer& buffer, uint64_t offset, size_t size) {
  zokio::simd::fill_pattern(buffer.space().first(size), plan.seed, offset);
  buffer.resize(size);
}

Task<Result<void>> write_all(Plan& plan, File& file) {
  ZOKIO_CO_TRY(Buffer buffer, co_await lease_patiently(plan.block));
  for (uint64_t offset = 0; offset < plan.size; offset += plan.block) {
    fill(plan, buffer, offset, std::min<uint64_t>(plan.block, plan.size - offset));
    zokio::IoResult written = co_await file.write_all_at(std::move(buffer), offset);
    if (!written.n) co_return zokio::fail(written.n.error());
    buffer = std::move(written.buffer);
    ++plan.operations;
    plan.context->progress(offset + buffer.size(), 2 * plan.size);
  }
  if (!plan.fsync) co_return Result<void>();
  ++plan.operations;
  co_return co_await file.sync();
}

// Whether the buffer holds what fill() put there.
bool holds(const Plan& plan, const Buffer& buffer, uint64_t offset, size_t size) {
  return buffer.size() == size &&
         zokio::simd::find_damage(buffer.bytes(), plan.seed, offset) == zokio::simd::kIntact;
}

// The sum of the content. DataLoss: it is not what was written.
Task<Result<uint64_t>> read_all(Plan& plan, File& file) {
  ZOKIO_CO_TRY(Buffer buffer, co_await lease_patiently(plan.block));
  uint64_t sum = 0;
  for (uint64_t offset = 0; offset < plan.size; offset += plan.block) {
    const size_t size = std::min<uint64_t>(plan.block, plan.size - offset);
    zokio::IoResult got = co_await file.read_full_at(std::move(buffer), offset);
    ZOKIO_CO_TRY(const size_t n, std::move(got.n));
    buffer = std::move(got.buffer);
    if (n != size || !holds(plan, buffer, offset, size))
      co_return zokio::fail(Errc::DataLoss, "synthetic.file");
    sum += mix(plan.seed ^ offset, size);
    ++plan.operations;
    plan.context->progress(plan.size + offset + n, 2 * plan.size);
  }
  co_return sum;
}

Task<Result<uint64_t>> write_and_read(Plan& plan, File& file) {
  ZOKIO_CO_CHECKED(co_await write_all(plan, file));
  co_return co_await read_all(plan, file);
}

Task<void> remove(File& directory, File& file, std::string name) {
  zokio::Shield shield;
  static_cast<void>(co_await file.close());
  static_cast<void>(co_await zokio::fs::unlink_at(directory.fd(), std::move(name)));
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const SyntheticFileSpec& spec = spec_of(context.job().spec);
  Plan plan{spec.seed, spec.size_bytes ? spec.size_bytes : kSizeDefault,
            spec.block_bytes ? spec.block_bytes : kBlockDefault, spec.fsync, &context};
  const std::string& path = context.policy().scratch_dir;
  const std::string name = context.job().id.to_string() + ".scratch";
  Result<File> directory = co_await File::open(path, {.directory = true});
  if (!directory) co_return path_error(directory.error(), "open", path);
  // What a crash left of an earlier attempt of this job is overwritten, and removed with it.
  Result<File> file = co_await File::open_beneath(
      *directory, name,
      {.read = true, .write = true, .create = true, .truncate = true, .mode = 0600});
  if (!file) co_return path_error(file.error(), "create", path + "/" + name);
  const Result<uint64_t> sum = co_await write_and_read(plan, *file);
  co_await remove(*directory, *file, name);
  if (sum)
    co_return Finished{model::SyntheticResult{plan.operations, 2 * plan.size, checksum_text(*sum)},
                       {}};
  if (sum.error().code == Errc::DataLoss)
    co_return model::refuse(Errc::DataLoss, "VERIFY_FAILED",
                            path + "/" + name + " did not hold what was written into it");
  co_return path_error(sum.error(), "use", path + "/" + name);
}

}  // namespace

const KindInfo kSyntheticFile = {.name = SyntheticFileSpec::kKind,
                                 .summary = "writes, reads back, compares and removes a file",
                                 .allowed = synthetic::allowed,
                                 .validate = validate,
                                 .authorize = synthetic::authorize,
                                 .run = run};

}  // namespace zokiod::kinds
