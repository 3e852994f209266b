// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a byte stream offers, and what every one gets by it. TcpStream, UnixStream, TlsStream,
// FileStream, PipeReader and BufferedReader are such streams; so is a class of your own that has
// these members:
//
//   Task<IoResult> read(mem::Buffer buffer, std::size_t skip, std::size_t limit);
//     reads into [skip, capacity), at most `limit` bytes; the buffer's size becomes skip + n;
//     n == 0: the end of the stream
//   Task<IoResult> write(mem::Buffer buffer, std::size_t skip);
//     writes bytes of [skip, size), perhaps not all; n: how many
//
// The buffer comes back in every case. After Errc::Cancelled nothing was transferred by that call.
// Deadlines: with_timeout(stream.read(...), 5s); an IoResult says Cancelled when it was cut short.

#include <concepts>
#include <cstdint>

#include "zokio/io/io_result.h"
#include "zokio/task/task.h"

namespace zokio::io {

// Of a read: as much as the buffer takes.
inline constexpr std::size_t kNoLimit = SIZE_MAX;

template <class S>
concept AsyncRead = requires(S& s, mem::Buffer b, std::size_t n) {
  { s.read(std::move(b), n, n) } -> std::same_as<Task<IoResult>>;
};

template <class S>
concept AsyncWrite = requires(S& s, mem::Buffer b, std::size_t n) {
  { s.write(std::move(b), n) } -> std::same_as<Task<IoResult>>;
};

// Fills the buffer with exactly `count` bytes from `skip` on, and takes no byte more. Errors:
// OutOfRange/Eof when the stream ends before. What came is in the buffer also after an error, as
// its size says, so it can be called again with what is missing.
template <AsyncRead S>
Task<IoResult> read_exactly(S& from, mem::Buffer buffer, std::size_t count, std::size_t skip = 0) {
  if (skip > buffer.capacity() || count > buffer.capacity() - skip) {
    co_return IoResult{.n = fail(Errc::InvalidArgument, "read_exactly"),
                       .buffer = std::move(buffer)};
  }
  std::size_t done = 0;
  buffer.resize(skip);
  while (done < count) {
    IoResult step = co_await from.read(std::move(buffer), skip + done, count - done);
    buffer = std::move(step.buffer);
    if (step.n.has_value() && *step.n == 0) {
      step.n = fail(Errc::OutOfRange, "read_exactly", Detail::Eof);
    }
    if (!step.n.has_value()) {
      buffer.resize(skip + done);
      co_return IoResult{.n = step.n, .buffer = std::move(buffer)};
    }
    done += *step.n;
  }
  co_return IoResult{.n = done, .buffer = std::move(buffer)};
}

// Writes all bytes of the buffer from `skip` on. On an error a part may have been written.
template <AsyncWrite S>
Task<IoResult> write_all(S& to, mem::Buffer buffer, std::size_t skip = 0) {
  const std::size_t size = buffer.size();
  if (skip > size) {
    co_return IoResult{.n = fail(Errc::InvalidArgument, "write_all"), .buffer = std::move(buffer)};
  }
  std::size_t done = skip;
  while (done < size) {
    IoResult step = co_await to.write(std::move(buffer), done);
    if (!step.n.has_value()) co_return step;
    buffer = std::move(step.buffer);
    if (*step.n == 0) {
      co_return IoResult{.n = fail(Errc::Unavailable, "write_all", Detail::Eof),
                         .buffer = std::move(buffer)};
    }
    done += *step.n;
  }
  co_return IoResult{.n = done - skip, .buffer = std::move(buffer)};
}

}  // namespace zokio::io
