// SPDX-License-Identifier: Apache-2.0
//
// The checksum of a tree on zokio: one task walks, a task for each file reads; a worker for each
// processor. ZOKIO_BENCH_BACKEND=uring|epoll chooses the backend.

#include <zokio/fs/file.h>
#include <zokio/fs/walk.h>
#include <zokio/sync/semaphore.h>
#include <zokio/zokio.h>

#include <string>

#include "tree.h"
#include "zokio_runtime.h"

namespace {

using bench::io::TreeSum;
using zokio::Result;
using zokio::Task;

struct Tree {
  explicit Tree(const char* path, TreeSum* to) : root(path), all(to) {}
  const std::string root;
  TreeSum* const all;
  zokio::sync::Semaphore files{64};  // open at the same time
};

Task<Result<void>> read_file(std::string path, Tree* tree, zokio::sync::Semaphore::Permit) {
  ZOKIO_CO_TRY(auto file, co_await zokio::fs::File::open(path));
  ZOKIO_CO_TRY(auto piece, zokio::mem::lease(bench::io::kPiece));
  uint64_t sum = 0;
  for (uint64_t at = 0;;) {
    zokio::IoResult got = co_await file.read_at(std::move(piece), at);
    if (!got.n) co_return zokio::fail(got.n.error());
    piece = std::move(got.buffer);
    sum = zokio::simd::xxh3(piece.bytes(), sum);
    at += *got.n;
    if (*got.n < bench::io::kPiece) break;
  }
  tree->all->add(std::string_view(path).substr(tree->root.size()), sum);
  co_return Result<void>();
}

Task<Result<void>> walk(zokio::Scope& scope, Tree* tree) {
  zokio::fs::Walk walk(tree->root);
  while (true) {
    ZOKIO_CO_TRY(auto entry, co_await walk.next());
    if (!entry) co_return Result<void>();
    if (entry->error) co_return zokio::fail(*entry->error);
    if (entry->type != zokio::fs::FileType::Regular) continue;
    ZOKIO_CO_TRY(auto permit, co_await tree->files.acquire());
    scope.spawn(&read_file, std::move(entry->path), tree, std::move(permit)).detach();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != "tree") return 2;
  auto runtime = bench::io::start(std::thread::hardware_concurrency());
  return bench::io::time_tree([&](TreeSum& all) {
    Tree tree(argv[2], &all);
    return runtime->block_on([&] { return zokio::with_scope(&walk, &tree); }).has_value();
  });
}
