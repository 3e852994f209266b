// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <stdexcept>
#include <string>

#include "runtime_fixture.h"

namespace zokio {
namespace {

using Blocking = test::RuntimeTest;

int length_of(const std::string& text) {
  return static_cast<int>(text.size());
}

TEST_P(Blocking, RunsBesideTheWorkers) {
  auto outcome = runtime_->block_on([]() -> Task<Result<bool>> {
    auto here = spawn_blocking([] { return task::context().worker == task::kNoWorker; });
    co_return co_await here;
  });
  EXPECT_TRUE(*outcome);
}

TEST_P(Blocking, OwnsItsArguments) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    auto box = std::make_unique<int>(40);
    auto length = spawn_blocking(length_of, std::string("four"));
    auto sum = spawn_blocking([](std::unique_ptr<int> b, int extra) { return *b + extra; },
                              std::move(box), 2);
    ZOKIO_CO_TRY(int a, co_await length);
    ZOKIO_CO_TRY(int b, co_await sum);
    co_return a + b;
  });
  EXPECT_EQ(*outcome, 46);
}

TEST_P(Blocking, ErrorsAndExceptionsReachTheJoin) {
  auto outcome = runtime_->block_on([]() -> Task<Result<int>> {
    auto fails = spawn_blocking([]() -> Result<int> { return fail(Errc::NotFound, "file"); });
    auto throws = spawn_blocking([] { throw std::runtime_error("no"); });
    auto failed = co_await fails;
    auto thrown = co_await throws;
    if (failed.error().code != Errc::NotFound) co_return 1;
    if (thrown.error().detail != Detail::Panicked || !throws.exception()) co_return 2;
    co_return 0;
  });
  EXPECT_EQ(*outcome, 0);
}

TEST_P(Blocking, FromOutsideAndUnwaited) {
  std::atomic<int> ran{0};
  for (int i = 0; i < 50; ++i)
    runtime_->spawn_blocking([](std::atomic<int>* count) { count->fetch_add(1); }, &ran).detach();
  auto last = runtime_->spawn_blocking([] { return 5; });
  EXPECT_EQ(*last.wait(), 5);
  EXPECT_TRUE(test::eventually([&] { return ran.load() == 50; }));
}

TEST_P(Blocking, CancelDoesNotCutTheFunction) {
  std::atomic<bool> go{false};
  auto handle = runtime_->spawn_blocking(
      [](std::atomic<bool>* g) {
        while (!g->load()) std::this_thread::yield();
        return 3;
      },
      &go);
  handle.cancel();
  go = true;
  EXPECT_EQ(*handle.wait(), 3);
}

ZOKIO_RUNTIME_MATRIX(Blocking);

}  // namespace
}  // namespace zokio
