// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one error type. Expected failures travel as values (result.h); bugs abort (assert.h).
//
// Codes carry the numbers of the canonical RPC status codes, so that one vocabulary holds from a
// system call to an exit code. An Error is 24 bytes, trivially copyable, and never allocates.
// Thread: values, no sharing.

#include <cstdint>
#include <string>
#include <string_view>

namespace zokio {

enum class Errc : uint8_t {
  Cancelled = 1,
  Unknown = 2,
  InvalidArgument = 3,
  DeadlineExceeded = 4,
  NotFound = 5,
  AlreadyExists = 6,
  PermissionDenied = 7,
  ResourceExhausted = 8,
  FailedPrecondition = 9,
  Aborted = 10,
  OutOfRange = 11,
  Unimplemented = 12,
  Internal = 13,
  Unavailable = 14,
  DataLoss = 15,
};

// What a code alone does not say and a caller may branch on.
enum class Detail : uint8_t {
  None = 0,
  Closed,    // the other side of a channel, a queue or a socket is gone
  Eof,       // the stream ended before the wanted count
  Panicked,  // an exception reached the boundary of a task
  Limit,     // a configured cap was reached
  Shutdown,  // the runtime is stopping
  Stalled,   // a deadline passed while something was still draining
};

struct [[nodiscard]] Error {
  Errc code = Errc::Unknown;
  Detail detail = Detail::None;
  int32_t os_errno = 0;    // 0 when no system call failed
  const char* where = "";  // static string: the operation that failed

  constexpr Error() = default;
  constexpr Error(Errc c, const char* w, Detail d = Detail::None) : code(c), detail(d), where(w) {}

  // The code for `err` (an errno value, positive), one table: src/base/error.cpp.
  static Error from_errno(int err, const char* where) noexcept;

  // "open: not found (ENOENT: No such file or directory)". Allocates.
  std::string to_string() const;

  friend constexpr bool operator==(const Error& a, const Error& b) {
    return a.code == b.code && a.detail == b.detail && a.os_errno == b.os_errno;
  }
};

// "NOT_FOUND", in the spelling of RPC status codes.
std::string_view to_string(Errc code) noexcept;

// "ENOENT", or "E?" for a number that has no name here.
std::string_view errno_name(int err) noexcept;

}  // namespace zokio
