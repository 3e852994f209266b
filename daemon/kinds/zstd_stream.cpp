// SPDX-License-Identifier: Apache-2.0
#include "kinds/zstd_stream.h"

#include <zstd.h>

#include "kinds/buffers.h"
#include "zokio/base/assert.h"
#include "zokio/spawn_blocking.h"

namespace zokiod::kinds {
namespace {

using zokio::Errc;
using zokio::Result;
using zokio::Task;
using zokio::mem::Buffer;

constexpr size_t kPieceBytes = 128 * 1024;
// 128 MiB: what zstd itself accepts unasked. A frame that wants more memory is refused.
constexpr int kWindowLogMax = 27;

}  // namespace

void Compressor::Free::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}
void Decompressor::Free::operator()(ZSTD_DCtx_s* context) const {
  ZSTD_freeDCtx(context);
}

Compressor::Compressor(JobContext& context, zokio::fs::File& to, int level, uint64_t total)
    : context_(context), to_(to), total_(total), zstd_(ZSTD_createCCtx()) {
  ZOKIO_CHECK(zstd_, "out of memory");
  ZSTD_CCtx_setParameter(zstd_.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(zstd_.get(), ZSTD_c_checksumFlag, 1);
}

Task<Result<Buffer>> Compressor::take(Buffer buffer, uint64_t) {
  digest.update(buffer.bytes());
  ZOKIO_CO_CHECKED(co_await pump(buffer.bytes(), false));
  read_ += buffer.size();
  context_.progress(read_, total_);
  co_return std::move(buffer);
}

Task<Result<void>> Compressor::finish() {
  co_return co_await pump({}, true);
}

Task<Result<void>> Compressor::pump(zokio::Bytes in, bool last) {
  if (!out_) {
    ZOKIO_CO_TRY(out_, co_await lease_patiently(kPieceBytes));
  }
  ZSTD_inBuffer input{in.data(), in.size(), 0};
  while (true) {
    ZSTD_outBuffer output{out_.data(), out_.capacity(), 0};
    ZOKIO_CO_TRY(const size_t left, co_await zokio::blocking([&] {
                   return ZSTD_compressStream2(zstd_.get(), &output, &input,
                                               last ? ZSTD_e_end : ZSTD_e_continue);
                 }));
    if (ZSTD_isError(left)) {
      fault = ZstdFault::Format;
      co_return zokio::fail(Errc::ResourceExhausted, "zstd");  // it has no other reason here
    }
    if (output.pos > 0) {
      out_.resize(output.pos);
      zokio::IoResult put = co_await to_.write_all_at(std::move(out_), written_);
      if (!put.n) {
        fault = ZstdFault::Write;
        co_return zokio::fail(put.n.error());
      }
      out_ = std::move(put.buffer);
      written_ += output.pos;
    }
    if (zokio::cancelled()) co_return zokio::fail(Errc::Cancelled, "compress");
    if (last ? left == 0 : input.pos == input.size) co_return Result<void>();
  }
}

Decompressor::Decompressor(JobContext& context, zokio::fs::File* to, uint64_t size_max,
                           uint64_t done, uint64_t total)
    : context_(context),
      to_(to),
      size_max_(size_max),
      done_(done),
      total_(total),
      zstd_(ZSTD_createDCtx()) {
  ZOKIO_CHECK(zstd_, "out of memory");
  ZSTD_DCtx_setParameter(zstd_.get(), ZSTD_d_windowLogMax, kWindowLogMax);
}

Task<Result<Buffer>> Decompressor::take(Buffer buffer, uint64_t) {
  if (!out_) {
    ZOKIO_CO_TRY(out_, co_await lease_patiently(kPieceBytes));
  }
  ZSTD_inBuffer input{buffer.data(), buffer.size(), 0};
  bool full = true;  // the last piece was: the library may hold more
  while (input.pos < input.size || full) {
    ZSTD_outBuffer output{out_.data(), out_.capacity(), 0};
    const size_t before = input.pos;
    ZOKIO_CO_TRY(const size_t wanted, co_await zokio::blocking([&] {
                   return ZSTD_decompressStream(zstd_.get(), &output, &input);
                 }));
    if (ZSTD_isError(wanted)) {
      fault = ZstdFault::Format;
      format_error = ZSTD_getErrorName(wanted);
      co_return zokio::fail(Errc::DataLoss, "zstd");
    }
    // With nothing given and nothing taken it tells what it would want of the next frame.
    if (output.pos > 0 || input.pos > before) wanted_ = wanted;
    full = output.pos == output.size;
    ZOKIO_CO_CHECKED(co_await deliver(output.pos));
    if (zokio::cancelled()) co_return zokio::fail(Errc::Cancelled, "decompress");
  }
  done_ += buffer.size();
  context_.progress(done_, total_);
  co_return std::move(buffer);
}

Task<Result<void>> Decompressor::deliver(size_t size) {
  out_.resize(size);
  digest.update(out_.bytes());
  if (size > size_max_ - written_) {
    fault = ZstdFault::TooLarge;
    co_return zokio::fail(Errc::ResourceExhausted, "decompress");
  }
  if (to_ != nullptr && size > 0) {
    zokio::IoResult put = co_await to_->write_all_at(std::move(out_), written_);
    if (!put.n) {
      fault = ZstdFault::Write;
      co_return zokio::fail(put.n.error());
    }
    out_ = std::move(put.buffer);
  }
  written_ += size;
  co_return Result<void>();
}

Result<void> Decompressor::finish() {
  if (wanted_ == 0) return {};
  fault = ZstdFault::Format;
  format_error = "it ends before its frame does";
  return zokio::fail(Errc::DataLoss, "zstd");
}

}  // namespace zokiod::kinds
