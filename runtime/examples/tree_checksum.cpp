// SPDX-License-Identifier: Apache-2.0

// One checksum for the content of a tree of files, read in parallel; the same for the same tree,
// whatever the order in which the files were done.
//   tree_checksum DIRECTORY

#include <cinttypes>
#include <cstdio>
#include <map>
#include <mutex>

#include "zokio/fs/file.h"
#include "zokio/fs/walk.h"
#include "zokio/simd/checksum.h"
#include "zokio/sync/semaphore.h"
#include "zokio/zokio.h"

using namespace zokio;

struct Sums {
  sync::Semaphore files{64};  // open at the same time
  std::mutex mutex;
  std::map<std::string, uint64_t> of;  // guarded by mutex
};

Task<Result<void>> checksum(std::string path, Sums* sums, sync::Semaphore::Permit) {
  ZOKIO_CO_TRY(auto file, co_await fs::File::open(path));
  ZOKIO_CO_TRY(auto buffer, mem::lease(256 << 10));
  uint64_t sum = 0;
  for (uint64_t at = 0;;) {
    // Whole blocks, so that a short read changes nothing.
    IoResult got = co_await file.read_full_at(std::move(buffer), at);
    if (!got.n.has_value()) co_return fail(got.n.error());
    buffer = std::move(got.buffer);
    sum = simd::xxh3(buffer.bytes(), sum);
    at += *got.n;
    if (*got.n < buffer.capacity()) break;
  }
  const std::scoped_lock lock(sums->mutex);
  sums->of.emplace(std::move(path), sum);
  co_return Result<void>();
}

// Any child's error ends it all.
Task<Result<void>> walk_tree(Scope& scope, std::string root, Sums* sums) {
  fs::Walk walk(std::move(root));
  for (;;) {
    ZOKIO_CO_TRY(auto entry, co_await walk.next());
    if (!entry.has_value()) co_return Result<void>();
    if (entry->error.has_value()) co_return fail(*entry->error);
    if (entry->type != fs::FileType::Regular) continue;
    ZOKIO_CO_TRY(auto permit, co_await sums->files.acquire());
    scope.spawn(&checksum, std::move(entry->path), sums, std::move(permit)).detach();
  }
}

int main(int argc, char** argv) {
  auto runtime = Runtime::create();
  if (argc < 2 || !runtime.has_value()) return 1;
  Sums sums;
  const std::string root = argv[1];
  auto done = (*runtime)->block_on([&] { return with_scope(&walk_tree, root, &sums); });
  if (!done.has_value()) {
    std::fprintf(stderr, "%s\n", done.error().to_string().c_str());
    return 1;
  }
  uint64_t all = 0;
  for (const auto& [path, sum] : sums.of) {
    all = simd::xxh3(as_bytes(path.substr(root.size()) + ":" + std::to_string(sum)), all);
  }
  std::printf("%016" PRIx64 " %zu files\n", all, sums.of.size());
  return 0;
}
