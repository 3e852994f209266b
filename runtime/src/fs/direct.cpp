// SPDX-License-Identifier: Apache-2.0
#include "zokio/fs/direct.h"

#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cstdint>

#include "fs/result.h"
#include "io/ops/statx.h"
#include "zokio/mem/size_class.h"

// Newer than the headers of some systems that this is built on.
#ifndef STATX_DIOALIGN
#define STATX_DIOALIGN 0x00002000U
#endif

namespace zokio::fs {
namespace {

constexpr uint32_t kMaxAlignment = 64 << 10;

// From the 256 bytes that the kernel filled: stx_dio_mem_align and stx_dio_offset_align.
DirectAlignment from_statx(const struct statx& attributes) noexcept {
  constexpr std::size_t kAt = 152;
  DirectAlignment out;
  const auto* bytes = reinterpret_cast<const unsigned char*>(&attributes);
  std::copy_n(bytes + kAt, sizeof out.memory, reinterpret_cast<unsigned char*>(&out.memory));
  std::copy_n(bytes + kAt + 4, sizeof out.offset, reinterpret_cast<unsigned char*>(&out.offset));
  return out;
}

}  // namespace

Task<Result<DirectAlignment>> direct_alignment(const File& file) {
  io::StatxOp op(file.fd(), "", true, STATX_BASIC_STATS | STATX_DIOALIGN);
  co_await op;
  if (op.result() < 0) co_return fail(io::error_of(op));
  if ((op.attributes().stx_mask & STATX_DIOALIGN) == 0) co_return DirectAlignment();
  const DirectAlignment rules = from_statx(op.attributes());
  if (rules.offset == 0 || rules.memory == 0) co_return fail(Errc::Unimplemented, "direct");
  co_return rules;
}

Result<mem::Buffer> lease_direct(std::size_t bytes, const DirectAlignment& rules) {
  const uint32_t alignment = std::max(rules.memory, rules.offset);
  if (!std::has_single_bit(rules.memory) || !std::has_single_bit(rules.offset) ||
      alignment > kMaxAlignment || bytes > mem::kMaxBufferBytes) {
    return fail(Errc::InvalidArgument, "lease_direct");
  }
  std::size_t size =
      std::max<std::size_t>(bytes + alignment - 1, alignment) / alignment * alignment;
  // Blocks lie at multiples of their size; larger ones begin with a page.
  if (size <= mem::kMaxBlock) {
    unsigned cls = mem::class_of(size);
    while (mem::class_bytes(cls) % alignment != 0) ++cls;
    size = mem::class_bytes(cls);
  }
  ZOKIO_TRY(mem::Buffer buffer, mem::lease(size));
  if (reinterpret_cast<uintptr_t>(buffer.data()) % rules.memory != 0) {
    return fail(Errc::ResourceExhausted, "lease_direct");
  }
  return buffer;
}

}  // namespace zokio::fs
