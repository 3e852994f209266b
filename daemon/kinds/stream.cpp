// SPDX-License-Identifier: Apache-2.0
#include "kinds/stream.h"

#include "kinds/buffers.h"
#include "zokio/scope.h"

namespace zokiod::kinds {
namespace {

using zokio::IoResult;
using zokio::Result;
using zokio::Scope;
using zokio::Task;

Task<IoResult> read_block(zokio::fs::File* file, zokio::mem::Buffer buffer, uint64_t offset) {
  co_return co_await file->read_full_at(std::move(buffer), offset);
}

// Two buffers: one is read into while the other is with the sink. Where the pool has no second one,
// one has to do: who holds a buffer and waits for another can wait for ever.
Task<Result<uint64_t>> stream_in_scope(Scope& scope, zokio::fs::File* file, BlockSink* sink) {
  ZOKIO_CO_TRY(zokio::mem::Buffer first, co_await lease_patiently(kBlockBytes));
  Result<zokio::mem::Buffer> second = zokio::mem::lease(kBlockBytes);
  zokio::mem::Buffer spare;
  if (second) spare = *std::move(second);
  uint64_t offset = 0;
  auto reading = scope.spawn(&read_block, file, std::move(first), uint64_t{0});
  while (true) {
    ZOKIO_CO_TRY(IoResult block, co_await reading);
    ZOKIO_CO_TRY(const size_t n, std::move(block.n));
    if (n == 0) co_return offset;
    const bool last = n < kBlockBytes;
    const bool ahead = !last && spare;
    if (ahead) reading = scope.spawn(&read_block, file, std::move(spare), offset + n);
    ZOKIO_CO_TRY(zokio::mem::Buffer back, co_await sink->take(std::move(block.buffer), offset));
    offset += n;
    if (last) co_return offset;
    if (ahead)
      spare = std::move(back);
    else
      reading = scope.spawn(&read_block, file, std::move(back), offset);
  }
}

}  // namespace

Task<Result<uint64_t>> stream_file(zokio::fs::File& file, BlockSink& sink) {
  co_return co_await zokio::with_scope(&stream_in_scope, &file, &sink);
}

}  // namespace zokiod::kinds
