// SPDX-License-Identifier: Apache-2.0
#include "zokio/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "zokio/base/assert.h"
#include "zokio/base/clock.h"

namespace zokio {
namespace {

TEST(Error, CodesCarryTheNumbersOfTheRpcStatusCodes) {
  EXPECT_EQ(static_cast<int>(Errc::Cancelled), 1);
  EXPECT_EQ(static_cast<int>(Errc::InvalidArgument), 3);
  EXPECT_EQ(static_cast<int>(Errc::NotFound), 5);
  EXPECT_EQ(static_cast<int>(Errc::ResourceExhausted), 8);
  EXPECT_EQ(static_cast<int>(Errc::Aborted), 10);
  EXPECT_EQ(static_cast<int>(Errc::DataLoss), 15);
}

TEST(Error, EveryCodeHasItsOwnName) {
  std::set<std::string_view> names;
  for (uint8_t code = 1; code <= 15; ++code)
    EXPECT_TRUE(names.insert(to_string(static_cast<Errc>(code))).second) << int{code};
  EXPECT_EQ(to_string(Errc::PermissionDenied), "PERMISSION_DENIED");
  EXPECT_EQ(to_string(static_cast<Errc>(99)), "UNKNOWN");
}

TEST(Error, ErrnoTable) {
  struct Row {
    int number;
    Errc code;
    const char* name;
  };
  for (const Row& row :
       {Row{ENOENT, Errc::NotFound, "ENOENT"}, Row{EACCES, Errc::PermissionDenied, "EACCES"},
        Row{EPERM, Errc::PermissionDenied, "EPERM"}, Row{EXDEV, Errc::PermissionDenied, "EXDEV"},
        Row{ELOOP, Errc::PermissionDenied, "ELOOP"}, Row{ENOSPC, Errc::ResourceExhausted, "ENOSPC"},
        Row{EMFILE, Errc::ResourceExhausted, "EMFILE"},
        Row{ECANCELED, Errc::Cancelled, "ECANCELED"}, Row{ETIME, Errc::DeadlineExceeded, "ETIME"},
        Row{EIO, Errc::DataLoss, "EIO"}, Row{EINVAL, Errc::InvalidArgument, "EINVAL"},
        Row{ECONNREFUSED, Errc::Unavailable, "ECONNREFUSED"}}) {
    const Error error = Error::from_errno(row.number, "here");
    EXPECT_EQ(error.code, row.code) << row.name;
    EXPECT_EQ(error.os_errno, row.number);
    EXPECT_EQ(errno_name(row.number), row.name);
  }
  EXPECT_EQ(Error::from_errno(99999, "x").code, Errc::Unknown);
  EXPECT_EQ(Error::from_errno(EPIPE, "x").detail, Detail::Closed);
}

TEST(Error, TextSaysWhereWhatAndWhy) {
  EXPECT_EQ(Error::from_errno(ENOENT, "open").to_string(),
            "open: NOT_FOUND (ENOENT: No such file or directory)");
  EXPECT_EQ(Error(Errc::ResourceExhausted, "lease", Detail::Limit).to_string(),
            "lease: RESOURCE_EXHAUSTED, limit reached");
}

TEST(Instant, AdditionSaturates) {
  EXPECT_TRUE((Instant{5} + Duration::max()).is_never());
  EXPECT_TRUE((Instant::never() + Duration(1)).is_never());
  EXPECT_EQ((Instant{5} + Duration(7)).ns, 12);
  EXPECT_LT(Instant{0}, Instant::never());
}

TEST(AssertDeathTest, CheckSaysWhatBrokeAndWhere) {
  EXPECT_DEATH(ZOKIO_CHECK(1 == 2, "arithmetic"), "fatal: arithmetic \\(1 == 2\\) at .*error_test");
}

}  // namespace
}  // namespace zokio
