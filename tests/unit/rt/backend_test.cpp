// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "runtime_fixture.h"

namespace zokio {
namespace {

bool uring_is_denied() {
  return std::getenv("ZOKIO_EXPECT_NO_URING") != nullptr;
}

TEST(Backend, AutoTakesWhatTheKernelAllowsAndSaysWhy) {
  auto runtime = Runtime::create();
  ASSERT_TRUE(runtime.has_value()) << runtime.error().to_string();
  const IoSnapshot io = (*runtime)->stats().io;
  if (io.backend == "io_uring") {
    EXPECT_FALSE(uring_is_denied());
    EXPECT_EQ(io.fallback_reason, "");
  } else {
    EXPECT_EQ(io.backend, "epoll");
    EXPECT_NE(io.fallback_reason, "");
    if (uring_is_denied()) EXPECT_NE(io.fallback_reason.find("EPERM"), std::string::npos);
  }
}

TEST(Backend, UringByNameIsAnErrorWhereItIsDenied) {
  if (!uring_is_denied()) GTEST_SKIP() << "io_uring is allowed here";
  RuntimeOptions options;
  options.backend = Backend::Uring;
  auto runtime = Runtime::create(std::move(options));
  ASSERT_FALSE(runtime.has_value());
  EXPECT_EQ(runtime.error().code, Errc::Unavailable);
  EXPECT_EQ(runtime.error().os_errno, EPERM);
}

TEST(Backend, DedicatedReactorsHaveThreadsOfTheirOwn) {
  RuntimeOptions options;
  options.workers = 2;
  options.reactors = 2;
  options.placement = Placement::Dedicated;
  auto runtime = Runtime::create(std::move(options));
  ASSERT_TRUE(runtime.has_value()) << runtime.error().to_string();
  for (const ReactorSnapshot& reactor : (*runtime)->stats().io.reactors)
    EXPECT_EQ(reactor.host, "reactor-" + std::to_string(reactor.slot));
  auto report = (*runtime)->resize_reactors_blocking(1);
  ASSERT_TRUE(report.has_value()) << report.error().to_string();
  EXPECT_EQ(report->reached, 1u);
}

TEST(Backend, RefusesImpossibleOptions) {
  RuntimeOptions options;
  options.workers = 257;
  EXPECT_EQ(Runtime::create(std::move(options)).error().code, Errc::InvalidArgument);
}

}  // namespace
}  // namespace zokio
