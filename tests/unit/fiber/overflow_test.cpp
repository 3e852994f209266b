// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <unistd.h>

#include <cstring>

#include "fiber_fixture.h"

namespace zokio {
namespace {

// Not mapped.
const auto kNowhere = reinterpret_cast<volatile char*>(16);

[[gnu::noinline]] int fall(int depth) {
  volatile char here[512] = {};
  here[0] = static_cast<char>(depth);
  if (depth < 0) return 0;
  return fall(depth + 1) + here[0];
}

[[gnu::noinline]] void write_to(volatile char* place) {
  *place = 1;
}

template <class F>
void on_a_fiber(F f, std::size_t stack_bytes = 64 * 1024) {
  auto runtime = Runtime::create(RuntimeOptions());
  if (!runtime.has_value()) _exit(3);
  static_cast<void>((*runtime)->block_on(
      [](F inner, std::size_t bytes) -> Task<Result<void>> {
        co_return co_await fiber(FiberOptions(bytes, "walker"), inner);
      },
      f, stack_bytes));
  _exit(4);
}

void say_and_exit(int, siginfo_t* info, void*) {
  const char text[] = "previous handler";
  [[maybe_unused]] auto written = write(STDERR_FILENO, text, sizeof text - 1);
  _exit(info->si_addr == kNowhere ? 7 : 8);
}

void install_previous() {
  struct sigaction action{};
  action.sa_sigaction = &say_and_exit;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, nullptr);
}

class OverflowDeathTest : public testing::Test {
 protected:
  void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

TEST_F(OverflowDeathTest, NamesTheFiberAndDiesOfTheSignal) {
  EXPECT_EXIT(on_a_fiber([] { fall(0); }), testing::KilledBySignal(SIGSEGV),
              "zokio: stack overflow in fiber 'walker' \\(64 KiB stack\\); "
              "give it a larger FiberOptions::stack_bytes");
}

TEST_F(OverflowDeathTest, AfterAMoveToAnotherThreadToo) {
  EXPECT_EXIT(on_a_fiber(
                  [] {
                    for (int i = 0; i < 100; ++i)
                      static_cast<void>(fiber_await(sleep(std::chrono::microseconds(10))));
                    fall(0);
                  },
                  256 * 1024),
              testing::KilledBySignal(SIGSEGV), "fiber 'walker' \\(256 KiB stack\\)");
}

TEST_F(OverflowDeathTest, OtherFaultsGoToThePreviousHandler) {
  // Inside a fiber, and outside of any.
  EXPECT_EXIT(
      {
        install_previous();
        on_a_fiber([] { write_to(kNowhere); });
      },
      testing::ExitedWithCode(7), "previous handler");
  EXPECT_EXIT(
      {
        install_previous();
        auto runtime = Runtime::create(RuntimeOptions());
        static_cast<void>(
            (*runtime)->block_on([]() -> Task<Result<void>> { co_return co_await fiber([] {}); }));
        write_to(kNowhere);
      },
      testing::ExitedWithCode(7), "previous handler");
}

TEST_F(OverflowDeathTest, WithoutOneTheDefaultActionHolds) {
  // SIG_DFL in place of what a sanitizer installs.
  EXPECT_EXIT(
      {
        signal(SIGSEGV, SIG_DFL);
        on_a_fiber([] { write_to(kNowhere); });
      },
      testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EXIT(
      {
        signal(SIGSEGV, SIG_DFL);
        on_a_fiber([] { kill(getpid(), SIGSEGV); });
      },
      testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace zokio
