// SPDX-License-Identifier: Apache-2.0
#include "zokio/base/error.h"

#include <array>
#include <cerrno>
#include <cstring>

namespace zokio {
namespace {

struct ErrnoRow {
  int number;
  const char* name;
  Errc code;
};

// The one table from errno to code. What is not listed is Unknown.
constexpr ErrnoRow kErrnoTable[] = {
    {ECANCELED, "ECANCELED", Errc::Cancelled},
    {EINVAL, "EINVAL", Errc::InvalidArgument},
    {ENAMETOOLONG, "ENAMETOOLONG", Errc::InvalidArgument},
    {EBADF, "EBADF", Errc::InvalidArgument},
    {ENOTDIR, "ENOTDIR", Errc::InvalidArgument},
    {EISDIR, "EISDIR", Errc::InvalidArgument},
    {EAFNOSUPPORT, "EAFNOSUPPORT", Errc::InvalidArgument},
    {E2BIG, "E2BIG", Errc::InvalidArgument},
    {ENOEXEC, "ENOEXEC", Errc::InvalidArgument},
    {ETIME, "ETIME", Errc::DeadlineExceeded},
    {ETIMEDOUT, "ETIMEDOUT", Errc::DeadlineExceeded},
    {ENOENT, "ENOENT", Errc::NotFound},
    {ESRCH, "ESRCH", Errc::NotFound},
    {ENXIO, "ENXIO", Errc::NotFound},
    {EEXIST, "EEXIST", Errc::AlreadyExists},
    {EADDRINUSE, "EADDRINUSE", Errc::AlreadyExists},
    {EACCES, "EACCES", Errc::PermissionDenied},
    {EPERM, "EPERM", Errc::PermissionDenied},
    {EROFS, "EROFS", Errc::PermissionDenied},
    // openat2 with RESOLVE_BENEATH or RESOLVE_NO_SYMLINKS: the path leads out, or through a link.
    {EXDEV, "EXDEV", Errc::PermissionDenied},
    {ELOOP, "ELOOP", Errc::PermissionDenied},
    {ENOMEM, "ENOMEM", Errc::ResourceExhausted},
    {ENOBUFS, "ENOBUFS", Errc::ResourceExhausted},
    {EMFILE, "EMFILE", Errc::ResourceExhausted},
    {ENFILE, "ENFILE", Errc::ResourceExhausted},
    {ENOSPC, "ENOSPC", Errc::ResourceExhausted},
    {EDQUOT, "EDQUOT", Errc::ResourceExhausted},
    {EFBIG, "EFBIG", Errc::OutOfRange},
    {EOVERFLOW, "EOVERFLOW", Errc::OutOfRange},
    {ERANGE, "ERANGE", Errc::OutOfRange},
    {ENOTEMPTY, "ENOTEMPTY", Errc::FailedPrecondition},
    {ENOTCONN, "ENOTCONN", Errc::FailedPrecondition},
    {EBUSY, "EBUSY", Errc::FailedPrecondition},
    {ETXTBSY, "ETXTBSY", Errc::FailedPrecondition},
    {ENOSYS, "ENOSYS", Errc::Unimplemented},
    {EOPNOTSUPP, "EOPNOTSUPP", Errc::Unimplemented},
    {EAGAIN, "EAGAIN", Errc::Unavailable},
    {ECONNREFUSED, "ECONNREFUSED", Errc::Unavailable},
    {ECONNRESET, "ECONNRESET", Errc::Unavailable},
    {ECONNABORTED, "ECONNABORTED", Errc::Unavailable},
    {EPIPE, "EPIPE", Errc::Unavailable},
    {EHOSTUNREACH, "EHOSTUNREACH", Errc::Unavailable},
    {ENETUNREACH, "ENETUNREACH", Errc::Unavailable},
    {EINTR, "EINTR", Errc::Unavailable},
    {EIO, "EIO", Errc::DataLoss},
};

const ErrnoRow* find_errno(int err) noexcept {
  for (const ErrnoRow& row : kErrnoTable)
    if (row.number == err) return &row;
  return nullptr;
}

constexpr std::array<std::string_view, 16> kErrcNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS"};

const char* detail_text(Detail detail) noexcept {
  switch (detail) {
    case Detail::None:
      return "";
    case Detail::Closed:
      return "closed";
    case Detail::Eof:
      return "end of stream";
    case Detail::Panicked:
      return "exception";
    case Detail::Limit:
      return "limit reached";
    case Detail::Shutdown:
      return "shutting down";
    case Detail::Stalled:
      return "did not finish in time";
  }
  return "";
}

}  // namespace

Error Error::from_errno(int err, const char* where) noexcept {
  const ErrnoRow* row = find_errno(err);
  Error error(row != nullptr ? row->code : Errc::Unknown, where,
              err == EPIPE ? Detail::Closed : Detail::None);
  error.os_errno = err;
  return error;
}

std::string Error::to_string() const {
  std::string text = where;
  if (!text.empty()) text += ": ";
  text += zokio::to_string(code);
  if (detail != Detail::None) {
    text += ", ";
    text += detail_text(detail);
  }
  if (os_errno != 0) {
    text += " (";
    text += errno_name(os_errno);
    text += ": ";
    text += std::strerror(os_errno);
    text += ")";
  }
  return text;
}

std::string_view to_string(Errc code) noexcept {
  const auto index = static_cast<size_t>(code);
  return index < kErrcNames.size() ? kErrcNames[index] : "UNKNOWN";
}

std::string_view errno_name(int err) noexcept {
  const ErrnoRow* row = find_errno(err);
  return row != nullptr ? row->name : "E?";
}

}  // namespace zokio
