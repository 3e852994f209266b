// SPDX-License-Identifier: Apache-2.0
// file.scrub: reads every file of a manifest and compares what it finds.
//
//   check every line of the manifest -> skip what was looked at before -> file by file, at the rate
//
// A file that is damaged, missing or unreadable is reported and does not end the scrub; the job
// fails at the end when there was one. What is not in the manifest is not looked at. Nothing is
// written but the progress file.

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "kinds/buffers.h"
#include "kinds/catalog.h"
#include "kinds/digest.h"
#include "kinds/manifest.h"
#include "kinds/pace.h"
#include "kinds/paths.h"
#include "kinds/replace_file.h"
#include "kinds/stream.h"
#include "zokio/fs/dir.h"
#include "zokio/shield.h"

namespace zokiod::kinds {
namespace {

using model::FileScrubResult;
using model::FileScrubSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;
using zokio::fs::File;

// Between two records of the progress: what a crash makes it read again.
constexpr zokio::Duration kRecordEvery = std::chrono::seconds(5);
constexpr size_t kRecordBytesMax = 4096;
constexpr std::string_view kRecordTitle = "zokio scrub progress 1";

const FileScrubSpec& spec_of(const model::JobSpec& spec) {
  return std::get<FileScrubSpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  const FileScrubSpec& spec = spec_of(job);
  check_path(spec.path, "spec.file_scrub.path", out);
  check_path(spec.manifest_path, "spec.file_scrub.manifest_path", out);
  if (spec.progress_path.empty()) return;
  check_path(spec.progress_path, "spec.file_scrub.progress_path", out);
  if (spec.progress_path == spec.manifest_path)
    out.push_back({"spec.file_scrub.progress_path", "is the manifest"});
}

bool allowed(const Policy& policy) {
  return !policy.roots.empty();
}

model::Reported<> authorize(const model::JobSpec& job, const Policy& policy) {
  const FileScrubSpec& spec = spec_of(job);
  if (auto ok = authorize_path(spec.path, policy); !ok) return ok;
  if (auto ok = authorize_path(spec.manifest_path, policy); !ok) return ok;
  if (spec.progress_path.empty()) return {};
  return authorize_path(spec.progress_path, policy);
}

struct Scrub {
  explicit Scrub(JobContext& c)
      : context(c), spec(spec_of(c.job().spec)), pace(spec.bytes_per_second) {}

  JobContext& context;
  const FileScrubSpec& spec;
  Pace pace;
  File tree, manifest;
  std::string manifest_sha256;
  uint64_t files_total = 0, bytes_total = 0;
  FileScrubResult result;
  std::string first;  // the first file that was wrong, and how
};

// Blocks are read at the rate; the digest is taken on the way.
class ScrubSink final : public BlockSink {
 public:
  explicit ScrubSink(Scrub& scrub) : scrub_(scrub) {}
  Task<Result<zokio::mem::Buffer>> take(zokio::mem::Buffer buffer, uint64_t) override {
    digest.update(buffer.bytes());
    scrub_.result.bytes += buffer.size();
    scrub_.context.progress(scrub_.result.bytes, scrub_.bytes_total);
    ZOKIO_CO_CHECKED(co_await scrub_.pace.used(buffer.size()));
    co_return std::move(buffer);
  }
  Digest digest;

 private:
  Scrub& scrub_;
};

// The reasons that lie with this daemon and not with the file.
bool is_ours(const zokio::Error& error) {
  return error.code == Errc::Cancelled || error.detail == zokio::Detail::Limit;
}

void note(Scrub& scrub, uint64_t& count, const std::string& path, std::string_view what) {
  ++count;
  const std::string text = fmt::format("{}: {}", escape_path(path), what);
  scrub.context.write_log(text + "\n");
  if (scrub.first.empty()) scrub.first = text;
}

Task<Result<void>> scrub_file(Scrub& scrub, const ManifestLine& wanted) {
  Result<File> file = co_await File::open_beneath(scrub.tree, wanted.path, {.regular_only = true});
  if (!file) {
    const zokio::Error& e = file.error();
    if (is_ours(e)) co_return zokio::fail(e);
    const bool missing = e.os_errno == ENOENT || e.os_errno == ENOTDIR || e.os_errno == ELOOP ||
                         e.os_errno == ENXIO || e.code == Errc::FailedPrecondition;
    if (missing)
      note(scrub, scrub.result.missing, wanted.path,
           e.os_errno == ENOENT ? "missing" : "no regular file");
    else
      note(scrub, scrub.result.unreadable, wanted.path, e.to_string());
    co_return Result<void>();
  }
  ScrubSink sink(scrub);
  const Result<uint64_t> size = co_await stream_file(*file, sink);
  if (!size) {
    if (is_ours(size.error())) co_return zokio::fail(size.error());
    note(scrub, scrub.result.unreadable, wanted.path, size.error().to_string());
  } else if (wanted.size && *size != *wanted.size) {
    note(scrub, scrub.result.damaged, wanted.path,
         fmt::format("{} bytes, want {}", *size, *wanted.size));
  } else if (const std::string sha256 = sink.digest.sha256(); sha256 != wanted.sha256) {
    note(scrub, scrub.result.damaged, wanted.path,
         fmt::format("SHA-256 {}, want {}", sha256, wanted.sha256));
  }
  co_return Result<void>();
}

std::unexpected<model::Report> bad_manifest(const Scrub& scrub, uint64_t line,
                                            std::string_view wrong) {
  return model::refuse(Errc::InvalidArgument, "BAD_MANIFEST",
                       fmt::format("{} line {}: {}", scrub.spec.manifest_path, line, wrong));
}

// The next line that is not empty; nullopt: the end.
Task<model::Reported<std::optional<ManifestLine>>> next_line(Scrub& scrub, LineReader& lines,
                                                             Digest* digest) {
  while (true) {
    auto text = co_await lines.next();
    if (!text && text.error().code == Errc::OutOfRange)
      co_return bad_manifest(scrub, lines.number() + 1, "is too long");
    if (!text) co_return path_error(text.error(), "read", scrub.spec.manifest_path);
    if (!*text) co_return std::optional<ManifestLine>();
    if (digest != nullptr) digest->update(**text + "\n");
    if ((*text)->empty()) continue;
    auto line = parse_manifest_line(**text);
    if (!line) co_return bad_manifest(scrub, lines.number(), line.error());
    co_return std::optional(*std::move(line));
  }
}

// Every line, before the first file is read: a mistake in the last one is not found after hours.
Task<model::Reported<>> check_manifest(Scrub& scrub) {
  LineReader lines(scrub.manifest);
  Digest digest;
  bool sizes = true;
  while (true) {
    auto line = co_await next_line(scrub, lines, &digest);
    if (!line) co_return std::unexpected(std::move(line.error()));
    if (!*line) break;
    ++scrub.files_total;
    sizes = sizes && (*line)->size.has_value();
    scrub.bytes_total += (*line)->size.value_or(0);
  }
  if (!sizes) scrub.bytes_total = 0;
  if (scrub.files_total == 0)
    co_return model::refuse(Errc::InvalidArgument, "BAD_MANIFEST",
                            scrub.spec.manifest_path + " has no line");
  scrub.manifest_sha256 = digest.sha256();
  co_return model::Reported<>();
}

std::string record_text(const Scrub& scrub) {
  const FileScrubResult& r = scrub.result;
  return fmt::format(
      "{}\nmanifest={}\nfiles={}\nbytes={}\ndamaged={}\nmissing={}\nunreadable={}\nfirst={}\n",
      kRecordTitle, scrub.manifest_sha256, r.files, r.bytes, r.damaged, r.missing, r.unreadable,
      scrub.first.substr(0, kRecordBytesMax / 2));
}

// False: it is no record of this manifest.
bool read_record(Scrub& scrub, std::string_view text) {
  std::map<std::string, std::string, std::less<>> values;
  if (!text.starts_with(kRecordTitle)) return false;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (const size_t equals = line.find('='); equals != std::string_view::npos)
      values.emplace(line.substr(0, equals), line.substr(equals + 1));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  FileScrubResult r;
  const auto number = [&values](const char* name, uint64_t& out) {
    const std::string& value = values[name];
    const char* end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, out);
    return error == std::errc{} && stop == end;
  };
  if (values["manifest"] != scrub.manifest_sha256 || !number("files", r.files) ||
      !number("bytes", r.bytes) || !number("damaged", r.damaged) || !number("missing", r.missing) ||
      !number("unreadable", r.unreadable) || r.files > scrub.files_total)
    return false;
  r.resumed_at = r.files;
  scrub.result = r;
  scrub.first = values["first"];
  return true;
}

Task<Result<std::string>> read_small(File& file) {
  ZOKIO_CO_TRY(zokio::mem::Buffer buffer, co_await lease_patiently(kRecordBytesMax));
  zokio::IoResult got = co_await file.read_full_at(std::move(buffer), 0);
  ZOKIO_CO_CHECKED(std::move(got.n));
  co_return std::string(zokio::as_text(got.buffer.bytes()));
}

Task<model::Reported<>> resume(Scrub& scrub) {
  const std::string& path = scrub.spec.progress_path;
  if (path.empty()) co_return model::Reported<>();
  auto rooted = co_await open_root(path, scrub.context.policy());
  if (!rooted) co_return std::unexpected(std::move(rooted.error()));
  Result<File> file =
      co_await File::open_beneath(rooted->root, rooted->rest, {.regular_only = true});
  if (!file && file.error().code == Errc::NotFound) co_return model::Reported<>();
  if (!file) co_return path_error(file.error(), "open", path);
  const Result<std::string> text = co_await read_small(*file);
  if (!text) co_return path_error(text.error(), "read", path);
  // Somebody's file that happens to have the name is not overwritten.
  if (!text->empty() && !text->starts_with(kRecordTitle))
    co_return model::refuse(Errc::FailedPrecondition, "NOT_A_RECORD",
                            path + " is there and is no progress of a scrub");
  scrub.context.write_log(
      read_record(scrub, *text)
          ? fmt::format("goes on after {} of {} files\n", scrub.result.files, scrub.files_total)
          : path + " is of another manifest: from the start\n");
  co_return model::Reported<>();
}

Task<model::Reported<>> record(Scrub& scrub) {
  if (scrub.spec.progress_path.empty()) co_return model::Reported<>();
  zokio::Shield shield;  // also when it was told to stop: that is what it is for
  co_return co_await replace_file(scrub.spec.progress_path, record_text(scrub), scrub.context);
}

Task<void> forget_record(Scrub& scrub) {
  if (scrub.spec.progress_path.empty()) co_return;
  zokio::Shield shield;
  auto rooted = co_await open_root(scrub.spec.progress_path, scrub.context.policy());
  if (!rooted) co_return;
  const auto [parent, name] = split_parent(rooted->rest);
  Result<File> directory = co_await File::open_beneath(rooted->root, parent, {.directory = true});
  if (directory) static_cast<void>(co_await zokio::fs::unlink_at(directory->fd(), name));
}

Task<model::Reported<>> scrub_files(Scrub& scrub) {
  LineReader lines(scrub.manifest);
  zokio::Instant recorded = zokio::Instant::now();
  for (uint64_t at = 0;; ++at) {
    auto line = co_await next_line(scrub, lines, nullptr);
    if (!line) co_return std::unexpected(std::move(line.error()));
    if (!*line) co_return model::Reported<>();
    if (at < scrub.result.resumed_at) continue;
    // What the half-read file added is not recorded: it is read again.
    const uint64_t before = scrub.result.bytes;
    const Result<void> done = co_await scrub_file(scrub, **line);
    if (!done) {
      scrub.result.bytes = before;
      auto kept = co_await record(scrub);
      if (!kept)
        scrub.context.write_log(kept.error().message + "\n");  // the reason stays the first
      co_return path_error(done.error(), "read", (*line)->path);
    }
    ++scrub.result.files;
    if (zokio::Instant::now() - recorded < kRecordEvery) continue;
    auto kept = co_await record(scrub);
    if (!kept) co_return kept;
    recorded = zokio::Instant::now();
  }
}

Task<model::Reported<>> open_all(Scrub& scrub) {
  auto tree = co_await open_tree_root(scrub.spec.path, scrub.context.policy());
  if (!tree) co_return std::unexpected(std::move(tree.error()));
  scrub.tree = *std::move(tree);
  auto manifest = co_await open_source(scrub.spec.manifest_path, scrub.context.policy());
  if (!manifest) co_return std::unexpected(std::move(manifest.error()));
  scrub.manifest = *std::move(manifest);
  auto checked = co_await check_manifest(scrub);
  if (!checked) co_return checked;
  co_return co_await resume(scrub);
}

Task<model::Reported<Finished>> run(JobContext& context) {
  Scrub scrub(context);
  auto opened = co_await open_all(scrub);
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  auto scrubbed = co_await scrub_files(scrub);
  if (!scrubbed) co_return std::unexpected(std::move(scrubbed.error()));
  co_await forget_record(scrub);
  const FileScrubResult& r = scrub.result;
  Finished out{r, {}};
  if (const uint64_t wrong = r.damaged + r.missing + r.unreadable; wrong != 0)
    out.error = {Errc::DataLoss, "VERIFY_FAILED",
                 fmt::format("{} of {} files: {} damaged, {} missing, {} unreadable; first: {}",
                             wrong, r.files, r.damaged, r.missing, r.unreadable, scrub.first)};
  context.write_log(fmt::format("{} files, {} bytes: {} damaged, {} missing, {} unreadable\n",
                                r.files, r.bytes, r.damaged, r.missing, r.unreadable));
  co_return out;
}

}  // namespace

const KindInfo kFileScrub = {.name = FileScrubSpec::kKind,
                             .summary = "compares the files of a tree with a manifest",
                             .allowed = allowed,
                             .validate = validate,
                             .authorize = authorize,
                             .run = run};

}  // namespace zokiod::kinds
