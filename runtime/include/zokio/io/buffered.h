// SPDX-License-Identifier: Apache-2.0
#pragma once

// Buffered reading and writing over any stream. The buffer is the caller's, leased before, so that
// a memory cap shows where it can be handled. Both refer to the stream, which outlives them.
// Cancel: nothing that was read, and nothing that was taken for writing, is lost; the same call, or
// another one, goes on.
// Thread: one task at a time.

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "zokio/io/stream.h"

namespace zokio::io {

// Of read_until and next_line: longer ones are an error.
inline constexpr std::size_t kMaxLine = std::size_t{64} << 10;

template <AsyncRead S>
class BufferedReader {
 public:
  // Requires: a buffer with room; what it holds is read first.
  BufferedReader(S& from, mem::Buffer buffer) noexcept : from_(&from), buffer_(std::move(buffer)) {
    ZOKIO_CHECK(buffer_.capacity() > 0, "a BufferedReader needs a buffer");
  }

  // What was read and not consumed. Valid until the next call that awaits.
  Bytes buffered() const noexcept { return buffer_.bytes().subspan(at_); }
  // Requires: n <= buffered().size().
  void consume(std::size_t n) noexcept {
    ZOKIO_CHECK(n <= buffered().size(), "consumed more than there is");
    at_ += n;
  }

  // buffered(), after a read when that was empty; empty at the end of the stream.
  Task<Result<Bytes>> fill() {
    if (!buffered().empty()) co_return buffered();
    at_ = 0;
    buffer_.resize(0);
    IoResult got = co_await from_->read(std::move(buffer_), 0, kNoLimit);
    buffer_ = std::move(got.buffer);
    if (got.n.has_value()) co_return buffered();
    buffer_.resize(0);
    co_return fail(got.n.error());
  }

  // As a stream. Large reads go past the buffer when that is empty.
  Task<IoResult> read(mem::Buffer into, std::size_t skip = 0, std::size_t limit = kNoLimit) {
    const std::size_t room = std::min(into.capacity() - skip, limit);
    if (buffered().empty() && room >= buffer_.capacity()) {
      return from_->read(std::move(into), skip, limit);
    }
    return read_through(std::move(into), skip, room);
  }

  // Up to and with `delimiter`; at the end of the stream what is left without one; then nullopt.
  // Errors: ResourceExhausted/Limit when `limit` bytes came without a delimiter: give up then.
  Task<Result<std::optional<std::string>>> read_until(char delimiter,
                                                      std::size_t limit = kMaxLine) {
    for (;;) {
      ZOKIO_CO_TRY(const Bytes got, co_await fill());
      if (got.empty()) {
        if (partial_.empty()) co_return std::optional<std::string>();
        co_return std::optional(std::exchange(partial_, {}));
      }
      const void* found = std::memchr(got.data(), delimiter, got.size());
      const std::size_t n =
          found == nullptr
              ? got.size()
              : static_cast<std::size_t>(static_cast<const std::byte*>(found) - got.data()) + 1;
      if (n > limit - std::min(limit, partial_.size())) {
        co_return fail(Errc::ResourceExhausted, "read_until", Detail::Limit);
      }
      partial_.append(as_text(got.first(n)));
      consume(n);
      if (found != nullptr) co_return std::optional(std::exchange(partial_, {}));
    }
  }

  // The next line without its "\n" or "\r\n"; nullopt at the end.
  Task<Result<std::optional<std::string>>> next_line(std::size_t limit = kMaxLine) {
    ZOKIO_CO_TRY(std::optional<std::string> line, co_await read_until('\n', limit));
    if (line.has_value() && line->ends_with('\n')) {
      line->pop_back();
      if (line->ends_with('\r')) line->pop_back();
    }
    co_return line;
  }

 private:
  Task<IoResult> read_through(mem::Buffer into, std::size_t skip, std::size_t room) {
    if (room == 0) {
      co_return IoResult{.n = fail(Errc::InvalidArgument, "read"), .buffer = std::move(into)};
    }
    auto filled = co_await fill();
    if (!filled.has_value()) {
      co_return IoResult{.n = fail(filled.error()), .buffer = std::move(into)};
    }
    const std::size_t n = std::min(room, filled->size());
    if (n > 0) std::memcpy(into.data() + skip, filled->data(), n);
    consume(n);
    into.resize(skip + n);
    co_return IoResult{.n = n, .buffer = std::move(into)};
  }

  S* from_;
  mem::Buffer buffer_;
  std::size_t at_ = 0;   // consumed up to here
  std::string partial_;  // of a line that has not ended
};

// What is not flushed when it is destroyed is lost: flush() is the last call.
template <AsyncWrite S>
class BufferedWriter {
 public:
  BufferedWriter(S& to, mem::Buffer buffer) noexcept : to_(&to), buffer_(std::move(buffer)) {
    ZOKIO_CHECK(buffer_.capacity() > 0, "a BufferedWriter needs a buffer");
    buffer_.resize(0);
  }

  // Takes all of `data`, writing when the buffer is full. On an error or a cancel: nothing of it
  // when it fits into the buffer, otherwise perhaps a part.
  Task<Result<void>> write(Bytes data) {
    do {
      if (data.size() > room() || room() == 0) ZOKIO_CO_CHECKED(co_await flush());
      const std::size_t n = std::min(room(), data.size());
      if (n > 0) std::memcpy(buffer_.data() + buffer_.size(), data.data(), n);
      buffer_.resize(buffer_.size() + n);
      data = data.subspan(n);
    } while (!data.empty());
    co_return Result<void>();
  }
  Task<Result<void>> write(std::string_view text) { return write(as_bytes(text)); }

  // Writes what is buffered. After an error or a cancel it goes on where it stopped.
  Task<Result<void>> flush() {
    while (written_ < buffer_.size()) {
      IoResult step = co_await to_->write(std::move(buffer_), written_);
      buffer_ = std::move(step.buffer);
      if (!step.n.has_value()) co_return fail(step.n.error());
      if (*step.n == 0) co_return fail(Errc::Unavailable, "flush", Detail::Eof);
      written_ += *step.n;
    }
    written_ = 0;
    buffer_.resize(0);
    co_return Result<void>();
  }

  // Taken and not yet written.
  std::size_t pending() const noexcept { return buffer_.size() - written_; }

 private:
  std::size_t room() const noexcept { return buffer_.capacity() - buffer_.size(); }

  S* to_;
  mem::Buffer buffer_;
  std::size_t written_ = 0;  // of the buffer, by a flush that was cut short
};

}  // namespace zokio::io
