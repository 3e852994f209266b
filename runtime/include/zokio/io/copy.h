// SPDX-License-Identifier: Apache-2.0
#pragma once

// copy: everything from one stream to another, through one buffer of the caller's.

#include <algorithm>
#include <utility>

#include "zokio/io/stream.h"

namespace zokio::io {

// No byte is lost by an error or a cancel: what was read and not written is in the buffer, from
// `first_unwritten` to its size.
struct CopyResult {
  Result<uint64_t> n{0};  // bytes copied, when it came to the end
  uint64_t written = 0;   // in every case
  mem::Buffer buffer;
  std::size_t first_unwritten = 0;

  Bytes unwritten() const noexcept { return buffer.bytes().subspan(first_unwritten); }
};

// Until the end of `from`, or until `limit` bytes went over. Flushes and closes nothing.
// Errors: InvalidArgument (a buffer without room); those of the streams.
template <AsyncRead R, AsyncWrite W>
Task<CopyResult> copy(R& from, W& to, mem::Buffer buffer, uint64_t limit = UINT64_MAX) {
  CopyResult out;
  if (buffer.capacity() == 0) {
    out.n = fail(Errc::InvalidArgument, "copy");
    co_return out;
  }
  out.buffer = std::move(buffer);
  out.buffer.resize(0);
  while (out.written < limit) {
    const auto room =
        static_cast<std::size_t>(std::min<uint64_t>(out.buffer.capacity(), limit - out.written));
    IoResult got = co_await from.read(std::move(out.buffer), 0, room);
    out.buffer = std::move(got.buffer);
    if (!got.n.has_value()) out.buffer.resize(0);
    out.first_unwritten = 0;
    while (got.n.has_value() && out.first_unwritten < out.buffer.size()) {
      IoResult put = co_await to.write(std::move(out.buffer), out.first_unwritten);
      out.buffer = std::move(put.buffer);
      if (put.n.has_value() && *put.n == 0) put.n = fail(Errc::Unavailable, "copy", Detail::Eof);
      if (put.n.has_value()) {
        out.first_unwritten += *put.n;
        out.written += *put.n;
      } else {
        got.n = put.n;
      }
    }
    if (!got.n.has_value()) {
      out.n = fail(got.n.error());
      co_return out;
    }
    if (*got.n == 0) break;
  }
  out.n = out.written;
  co_return out;
}

}  // namespace zokio::io
