// SPDX-License-Identifier: Apache-2.0
// file.checksum: XXH3-128 and SHA-256 of every regular file below a path, and of the list of them.
//
//   walk (names only) -> sort -> digest kFilesAtATime files at a time -> manifest, in order
//
// A line of the manifest is that of manifest.h, its path relative to the tree.
// The result's digests are those of the manifest, so two equal trees have equal results.

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "kinds/catalog.h"
#include "kinds/digest.h"
#include "kinds/manifest.h"
#include "kinds/paths.h"
#include "kinds/replace_file.h"
#include "kinds/stream.h"
#include "zokio/fs/dir.h"
#include "zokio/scope.h"

namespace zokiod::kinds {
namespace {

using model::FileChecksumResult;
using model::FileChecksumSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Scope;
using zokio::Task;
using zokio::fs::File;
using zokio::fs::FileType;

// Hides the latency of the disk; each holds two blocks.
constexpr size_t kFilesAtATime = 4;
// Bounds the memory of the list: about 200 bytes for each name.
constexpr size_t kFilesMax = 1'000'000;

const FileChecksumSpec& spec_of(const model::JobSpec& spec) {
  return std::get<FileChecksumSpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  const FileChecksumSpec& spec = spec_of(job);
  check_path(spec.path, "spec.file_checksum.path", out);
  if (!spec.manifest_path.empty())
    check_path(spec.manifest_path, "spec.file_checksum.manifest_path", out);
}

bool allowed(const Policy& policy) {
  return !policy.roots.empty();
}

model::Reported<> authorize(const model::JobSpec& job, const Policy& policy) {
  const FileChecksumSpec& spec = spec_of(job);
  if (auto ok = authorize_path(spec.path, policy); !ok) return ok;
  if (spec.manifest_path.empty()) return {};
  return authorize_path(spec.manifest_path, policy);
}

struct Item {
  std::string path;  // relative to the tree; for a single file its name
  std::string line;  // of the manifest, once it is digested
};

// What the tasks of one attempt share.
struct Tree {
  File root;  // the directory, or that of the single file
  std::vector<Item> items;
  uint64_t skipped = 0;
  // Any task, atomic.
  std::atomic<size_t> next{0};
  std::atomic<uint64_t> bytes{0};
  JobContext* context = nullptr;
  // Which file failed: written by the first that did.
  std::atomic<bool> failed{false};
  model::Report failure;
};

Task<model::Reported<>> walk(Tree& tree) {
  std::vector<std::string> directories = {"."};
  while (!directories.empty()) {
    const std::string path = std::move(directories.back());
    directories.pop_back();
    Result<File> directory = co_await File::open_beneath(tree.root, path, {.directory = true});
    if (!directory) co_return path_error(directory.error(), "open", path);
    auto entries = co_await zokio::fs::read_dir_at(directory->fd());
    if (!entries) co_return path_error(entries.error(), "list", path);
    for (auto& entry : *entries) {
      std::string name = path == "." ? entry.name : path + "/" + entry.name;
      FileType type = entry.type;
      if (type == FileType::Unknown) {
        auto meta = co_await zokio::fs::stat_at(directory->fd(), entry.name, false);
        if (!meta) co_return path_error(meta.error(), "stat", name);
        type = meta->type;
      }
      if (type == FileType::Directory)
        directories.push_back(std::move(name));
      else if (type == FileType::Regular)
        tree.items.push_back({std::move(name), {}});
      else
        ++tree.skipped;
      if (tree.items.size() > kFilesMax)
        co_return model::refuse(Errc::ResourceExhausted, "TOO_MANY_FILES",
                                fmt::format("more than {} files", kFilesMax));
    }
  }
  std::ranges::sort(tree.items, {}, &Item::path);
  co_return model::Reported<>();
}

class DigestSink final : public BlockSink {
 public:
  explicit DigestSink(Tree& tree) : tree_(tree) {}
  Task<Result<zokio::mem::Buffer>> take(zokio::mem::Buffer buffer, uint64_t) override {
    digest.update(buffer.bytes());
    const uint64_t bytes = tree_.bytes.fetch_add(buffer.size()) + buffer.size();
    tree_.context->progress(bytes, 0);
    co_return std::move(buffer);
  }
  Digest digest;

 private:
  Tree& tree_;
};

Task<Result<void>> digest_one(Tree& tree, Item& item) {
  // A FIFO or a device that took the place of the file since the walk does not make this wait.
  ZOKIO_CO_TRY(File file,
               co_await File::open_beneath(tree.root, item.path, {.regular_only = true}));
  DigestSink sink(tree);
  ZOKIO_CO_TRY(const uint64_t size, co_await stream_file(file, sink));
  item.line = manifest_line({item.path, sink.digest.sha256(), sink.digest.xxh3(), size}) + "\n";
  co_return Result<void>();
}

// Takes the next file until none is left.
Task<Result<void>> digest_files(Tree* tree) {
  while (true) {
    const size_t index = tree->next.fetch_add(1);
    if (index >= tree->items.size()) co_return Result<void>();
    Item& item = tree->items[index];
    const Result<void> done = co_await digest_one(*tree, item);
    if (done) continue;
    if (done.error().code != Errc::Cancelled && !tree->failed.exchange(true))
      tree->failure = path_error(done.error(), "read", item.path).error();
    co_return done;
  }
}

Task<Result<void>> digest_all(Scope& scope, Tree* tree) {
  const size_t tasks = std::min(kFilesAtATime, tree->items.size());
  for (size_t i = 0; i < tasks; ++i) scope.spawn(&digest_files, tree).detach();
  co_return Result<void>();
}

// A directory is walked; a file is a tree of one.
Task<model::Reported<>> open_tree(Tree& tree, const std::string& path, const Policy& policy) {
  auto rooted = co_await open_root(path, policy);
  if (!rooted) co_return std::unexpected(std::move(rooted.error()));
  Result<File> directory =
      co_await File::open_beneath(rooted->root, rooted->rest, {.directory = true});
  if (directory) {
    tree.root = *std::move(directory);
    co_return co_await walk(tree);
  }
  if (directory.error().os_errno != ENOTDIR) co_return path_error(directory.error(), "open", path);
  auto [parent, name] = split_parent(rooted->rest);
  Result<File> holder = co_await File::open_beneath(rooted->root, parent, {.directory = true});
  if (!holder) co_return path_error(holder.error(), "open", path);
  // Says now what is not a file, with the path as the client knows it.
  Result<File> file = co_await File::open_beneath(*holder, name, {.regular_only = true});
  if (!file) co_return path_error(file.error(), "open", path);
  tree.root = *std::move(holder);
  tree.items.push_back({name, {}});
  co_return model::Reported<>();
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const FileChecksumSpec spec = spec_of(context.job().spec);
  Tree tree;
  tree.context = &context;
  auto opened = co_await open_tree(tree, spec.path, context.policy());
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  const Result<void> done = co_await zokio::with_scope(&digest_all, &tree);
  if (!done) {
    if (tree.failed) co_return model::refuse(std::move(tree.failure));
    co_return path_error(done.error(), "read", spec.path);
  }
  Digest digest;
  std::string manifest;
  for (const Item& item : tree.items) {
    digest.update(item.line);
    if (!spec.manifest_path.empty()) manifest += item.line;
  }
  if (!spec.manifest_path.empty()) {
    auto written = co_await replace_file(spec.manifest_path, std::move(manifest), context);
    if (!written) co_return std::unexpected(std::move(written.error()));
  }
  FileChecksumResult result;
  result.files = tree.items.size();
  result.bytes = tree.bytes;
  result.skipped = tree.skipped;
  result.xxh3 = digest.xxh3();
  result.sha256 = digest.sha256();
  result.manifest_path = spec.manifest_path;
  context.write_log(
      fmt::format("{} files, {} bytes, {} skipped\n", result.files, result.bytes, result.skipped));
  co_return Finished{result, {}};
}

}  // namespace

const KindInfo kFileChecksum = {.name = FileChecksumSpec::kKind,
                                .summary = "digests every file of a tree, and the list of them",
                                .allowed = allowed,
                                .validate = validate,
                                .authorize = authorize,
                                .run = run};

}  // namespace zokiod::kinds
