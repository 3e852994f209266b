// SPDX-License-Identifier: Apache-2.0
// exec: how commands end, what they get, and that nothing of them stays.
#include <signal.h>
#include <sys/wait.h>

#include <cstdlib>
#include <set>

#include "kind_fixture.h"
#include "kinds/children.h"
#include "model/limits.h"
#include "zokio/timeout.h"

namespace zokiod::kinds {
namespace {

using model::ExecResult;
using model::ExecSpec;

bool alive(pid_t pid) {
  // A zombie that somebody else has to reap has ended, too.
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name, state;
  return in >> number >> name >> state && state != "Z" && state != "X";
}

class ExecTest : public KindTest {
 protected:
  void TearDown() override {
    KindTest::TearDown();
    siginfo_t info{};
    EXPECT_TRUE(::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD)
        << "a child was left";
  }
  static ExecSpec shell(const std::string& script) {
    return {{"/bin/sh", "-c", script}, "", {}, {}};
  }
  FakeContext context(ExecSpec spec) { return {*runtime_, policy(), std::move(spec)}; }

  static ExecResult result_of(const model::Reported<Finished>& done) {
    if (!done) {
      ADD_FAILURE() << done.error().message;
      return {};
    }
    return std::get<ExecResult>(done->result);
  }
};

TEST_P(ExecTest, LimitsAreThoseOfTheSpec) {
  ExecSpec spec = shell("ulimit -c; ulimit -n; ulimit -f; ulimit -v; ulimit -t");
  spec.open_files_max = 77;
  spec.file_size_max_bytes = 1 << 20;
  spec.memory_max_bytes = 1 << 30;
  spec.cpu_time_max = milliseconds(6500);
  FakeContext asked = context(spec);
  ASSERT_OK(run(asked));
  EXPECT_EQ(asked.log(), "0\n77\n2048\n1048576\n7\n") << "512 bytes, KiB, and seconds";
  // Ended by what they took too much of.
  spec = shell("exec head -c 2000000 /dev/zero > " + in_root("big"));
  spec.file_size_max_bytes = 1 << 20;
  EXPECT_EQ(result_of(run(spec)).signal, SIGXFSZ);
  EXPECT_EQ(std::filesystem::file_size(in_root("big")), 1u << 20);
  spec = shell("while :; do :; done");
  spec.cpu_time_max = milliseconds(1);  // a second at least
  EXPECT_EQ(result_of(run(spec)).signal, SIGXCPU);
  spec.cpu_time_max = -seconds(1);
  EXPECT_EQ(violations(spec),
            (Violations{{"spec.exec.cpu_time_max", "not between 0 and one week"}}));
}

TEST_P(ExecTest, ExitCodes) {
  const auto good = run(shell("exit 0"));
  ASSERT_OK(good);
  EXPECT_TRUE(good->ok());
  EXPECT_EQ(result_of(good), (ExecResult{0, 0, 0}));
  for (const int code : {1, 42, 255}) {
    const auto done = run(shell("exit " + std::to_string(code)));
    ASSERT_OK(done);
    EXPECT_EQ(result_of(done), (ExecResult{code, 0, 0}));
    EXPECT_EQ(done->error.code, Errc::Aborted);
    EXPECT_EQ(done->error.reason, "EXIT_CODE");
    EXPECT_EQ(done->error.message, "exit code " + std::to_string(code));
  }
}

TEST_P(ExecTest, ASignalEndsIt) {
  const auto done = run(shell("kill -SEGV $$"));
  ASSERT_OK(done);
  EXPECT_EQ(result_of(done), (ExecResult{128 + SIGSEGV, SIGSEGV, 0}));
  EXPECT_EQ(done->error.reason, "SIGNAL");
  EXPECT_THAT(done->error.message, testing::Eq("signal 11 (Segmentation fault)"));
}

TEST_P(ExecTest, OutputOfBothStreamsIsKept) {
  FakeContext c = context(shell("echo out; echo err >&2; printf end"));
  const auto done = run(c);
  EXPECT_EQ(result_of(done), (ExecResult{0, 0, 11}));
  std::set<std::string> lines;
  std::istringstream in(c.log());
  for (std::string line; std::getline(in, line);) lines.insert(line);
  EXPECT_EQ(c.log().size(), 11u);
  EXPECT_THAT(c.log(), testing::HasSubstr("out\n"));
  EXPECT_THAT(c.log(), testing::HasSubstr("err\n"));
  EXPECT_THAT(c.log(), testing::HasSubstr("end"));
}

// More than a pipe holds, and not one byte less arrives.
TEST_P(ExecTest, MuchOutputIsCountedToTheLastByte) {
  FakeContext c = context({{"head", "-c", "3000000", "/dev/zero"}, "", {}, {}});
  const auto done = run(c);
  EXPECT_EQ(result_of(done).output_bytes, 3'000'000u);
  EXPECT_EQ(c.log().size(), 3'000'000u);
}

TEST_P(ExecTest, ANameThatIsNotThereIsNamed) {
  EXPECT_REPORT(run(ExecSpec{{"zokio-no-such-program", "x"}, "", {}, {}}), Errc::NotFound,
                "NOT_FOUND",
                "start zokio-no-such-program: exec: NOT_FOUND (ENOENT: No such file or directory)");
  EXPECT_REPORT(
      run(ExecSpec{{in_root("none")}, "", {}, {}}), Errc::NotFound, "NOT_FOUND",
      "start " + in_root("none") + ": exec: NOT_FOUND (ENOENT: No such file or directory)");
  write(in_root("text"), "not a program");
  EXPECT_REPORT(
      run(ExecSpec{{in_root("text")}, "", {}, {}}), Errc::PermissionDenied, "PERMISSION_DENIED",
      "start " + in_root("text") + ": exec: PERMISSION_DENIED (EACCES: Permission denied)");
  EXPECT_REPORT(
      run(ExecSpec{{"true"}, in_root("nowhere"), {}, {}}), Errc::NotFound, "NOT_FOUND",
      "start " + in_root("nowhere") + ": chdir: NOT_FOUND (ENOENT: No such file or directory)");
}

TEST_P(ExecTest, TheEnvironmentIsWhatIsAllowed) {
  ::setenv("ZOKIO_TEST_SECRET", "secret", 1);
  ::setenv("ZOKIO_TEST_ALLOWED", "allowed", 1);
  Policy with = policy();
  with.env_allow = {"ZOKIO_TEST_ALLOWED", "ZOKIO_TEST_UNSET"};
  FakeContext c(*runtime_, with,
                ExecSpec{{"/usr/bin/env"}, "", {{"MINE", "1"}, {"ZOKIO_JOB_ID", "forged"}}, {}});
  ASSERT_OK(run(c));
  ::unsetenv("ZOKIO_TEST_SECRET");
  ::unsetenv("ZOKIO_TEST_ALLOWED");
  std::set<std::string> lines;
  std::istringstream in(c.log());
  for (std::string line; std::getline(in, line);) lines.insert(line);
  EXPECT_EQ(lines, (std::set<std::string>{
                       "MINE=1", "PATH=/usr/local/bin:/usr/bin:/bin", "ZOKIO_ATTEMPT=1",
                       "ZOKIO_JOB_ID=" + c.job().id.to_string(), "ZOKIO_TEST_ALLOWED=allowed"}));
}

TEST_P(ExecTest, DirectoryAndDescriptors) {
  FakeContext here = context({{"pwd"}, root(), {}, {}});
  ASSERT_OK(run(here));
  EXPECT_EQ(here.log(), root() + "\n");
  FakeContext slash = context({{"pwd"}, "", {}, {}});
  ASSERT_OK(run(slash));
  EXPECT_EQ(slash.log(), "/\n");
  // Also one that was opened without O_CLOEXEC.
  const int leaked = ::open("/dev/null", O_RDONLY);
  // Without opening anything itself: listing the directory would.
  FakeContext fds =
      context(shell("fd=0; while [ $fd -lt 256 ]; do [ -e /proc/$$/fd/$fd ] && echo $fd; "
                    "fd=$((fd + 1)); done; exit 0"));
  ASSERT_OK(run(fds));
  ASSERT_LT(leaked, 256);
  ::close(leaked);
  EXPECT_EQ(fds.log(), "0\n1\n2\n");
  FakeContext input = context({{"cat"}, "", {}, {}});
  ASSERT_OK(run(input));
  EXPECT_EQ(input.log(), "");
}

Task<zokio::Result<void>> run_result(FakeContext* context) {
  co_await run_kind(context);
  if (!context->result) co_return zokio::fail(context->result.error().error);
  co_return zokio::Result<void>();
}
Task<zokio::Result<void>> run_in_time(FakeContext* context, zokio::Duration limit) {
  co_return co_await zokio::with_timeout(run_result(context), limit);
}

// A shell, its child, and the child of that: all end with the job. The pids come by the log.
const char* const kFamily = "sh -c 'sleep 1000 & echo $!; echo $$; wait' & echo $$; wait";

std::vector<pid_t> family(const std::string& log) {
  std::vector<pid_t> pids;
  std::istringstream in(log);
  for (pid_t pid = 0; in >> pid;) pids.push_back(pid);
  return pids;
}

TEST_P(ExecTest, CancelEndsTheWholeGroup) {
  FakeContext c = context(shell(kFamily));
  const auto done = run_and_cancel(c, [&] { return std::ranges::count(c.log(), '\n') == 3; });
  EXPECT_REPORT(done, Errc::Cancelled, "CANCELLED", "run /bin/sh: exec: CANCELLED");
  const auto pids = family(c.log());
  ASSERT_EQ(pids.size(), 3u);
  for (const pid_t pid : pids)
    EXPECT_TRUE(zokio::test::eventually([&] { return !alive(pid); })) << pid;
}

TEST_P(ExecTest, ATimeoutEndsTheWholeGroup) {
  // The clock starts before the family stands: long enough that it stands on any machine.
  FakeContext c = context(shell(kFamily));
  const auto outcome = runtime_->block_on(&run_in_time, &c, zokio::Duration(seconds(1)));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, Errc::DeadlineExceeded);
  ASSERT_FALSE(c.result.has_value());
  EXPECT_EQ(c.result.error().error.code, Errc::Cancelled);
  for (const pid_t pid : family(c.log()))
    EXPECT_TRUE(zokio::test::eventually([&] { return !alive(pid); })) << pid;
}

// TERM is ignored by all of them: KILL comes after the grace, and not before.
TEST_P(ExecTest, WhoIgnoresTermIsKilledAfterTheGrace) {
  ExecSpec spec = shell(
      "trap '' TERM; sh -c 'echo $$; while :; do sleep 1000; done' & echo $$; "
      "while :; do wait; done");
  spec.grace = milliseconds(200);
  FakeContext c = context(spec);
  zokio::Instant told;
  const auto done = run_and_cancel(c, [&] {
    told = zokio::Instant::now();
    return std::ranges::count(c.log(), '\n') == 2;
  });
  EXPECT_GE(zokio::Instant::now() - told, zokio::Duration(milliseconds(200)));
  EXPECT_REPORT(done, Errc::Cancelled, "CANCELLED", "run /bin/sh: exec: CANCELLED");
  for (const pid_t pid : family(c.log()))
    EXPECT_TRUE(zokio::test::eventually([&] { return !alive(pid); })) << pid;
}

TEST_P(ExecTest, WhatItSaysWhileItEndsIsKept) {
  FakeContext c =
      context(shell("trap 'echo last words; exit 3' TERM; echo up; "
                    "while :; do sleep 0.01; done"));
  const auto done = run_and_cancel(c, [&] { return c.log() == "up\n"; });
  EXPECT_EQ(done.error().error.code, Errc::Cancelled);
  EXPECT_THAT(c.log(), testing::HasSubstr("last words\n"));  // the shell may add "Terminated"
}

// A command that ends and leaves a child in its group: the child goes with it, and the job does not
// wait for the pipe that the child holds.
TEST_P(ExecTest, WhatItLeavesBehindIsKilled) {
  FakeContext c = context(shell("sleep 1000 & echo $!; exit 0"));
  const auto done = run(c);
  ASSERT_OK(done);
  EXPECT_TRUE(done->ok());
  const auto pids = family(c.log());
  ASSERT_EQ(pids.size(), 1u);
  EXPECT_TRUE(zokio::test::eventually([&] { return !alive(pids[0]); }));
}

// One that left the group keeps the pipe; the job ends all the same.
TEST_P(ExecTest, AStrangerWithThePipeIsNotWaitedFor) {
  const std::string gone = in_root("gone");
  FakeContext c = context(shell("setsid sh -c 'echo $$; : >" + gone + "; exec sleep 1000' & " +
                                "while [ ! -e " + gone + " ]; do sleep 0.01; done"));
  const auto done = run(c);
  ASSERT_OK(done);
  const auto pids = family(c.log());
  ASSERT_EQ(pids.size(), 1u);
  EXPECT_TRUE(alive(pids[0]));
  ::kill(pids[0], SIGKILL);
  EXPECT_TRUE(zokio::test::eventually([&] { return !alive(pids[0]); }));
}

// While it runs its number is known as one that is waited for; afterwards it is forgotten.
TEST_P(ExecTest, TheReaperKnowsItsNumber) {
  FakeContext c = context(shell("echo $$; while :; do sleep 0.01; done"));
  const auto known = [](pid_t pid) {
    bool out = false;
    ChildTable::of_process().reap([&](const auto& is_ours) { out = is_ours(pid); });
    return out;
  };
  bool seen = false;
  static_cast<void>(run_and_cancel(c, [&] {
    const auto pids = family(c.log());
    if (pids.empty()) return false;
    seen = known(pids[0]);
    return true;
  }));
  EXPECT_TRUE(seen);
  EXPECT_FALSE(known(family(c.log()).at(0)));
}

TEST_P(ExecTest, RefusedBeforeItRuns) {
  Policy off = policy();
  off.exec_enabled = false;
  EXPECT_REPORT(authorized(ExecSpec{{"true"}, "", {}, {}}, off), Errc::PermissionDenied,
                "KIND_NOT_ALLOWED",
                "kind exec is off: set policy.exec.enabled = true in the configuration");
  EXPECT_FALSE(kExec.allowed(off));
  EXPECT_TRUE(authorized(ExecSpec{{"true"}, "", {}, {}}, policy()).has_value());

  using V = Violations;
  EXPECT_EQ(violations(ExecSpec{}), (V{{"spec.exec.argv", "is missing"}}));
  EXPECT_EQ(violations(ExecSpec{{""}, "", {}, {}}), (V{{"spec.exec.argv", "is missing"}}));
  ExecSpec bad{{"x", std::string("a\0b", 3), std::string(model::kArgBytesMax + 1, 'x')},
               "relative",
               {{"A=B", "1"}},
               std::chrono::minutes(11)};
  EXPECT_EQ(violations(bad), (V{{"spec.exec.argv[1]", "has a NUL byte"},
                                {"spec.exec.argv[2]", "65537 bytes, at most 65536"},
                                {"spec.exec.cwd", "\"relative\" is not an absolute path"},
                                {"spec.exec.env", "a name is empty, or has \"=\" or a NUL byte"},
                                {"spec.exec.grace", "not between 0 and 10 minutes"}}));
  ExecSpec many{std::vector<std::string>(model::kArgvCountMax + 1, "x"), "", {}, {}};
  for (size_t i = 0; i <= model::kEnvCountMax; ++i) many.env["V" + std::to_string(i)] = "";
  EXPECT_EQ(violations(many), (V{{"spec.exec.argv", "257 arguments, at most 256"},
                                 {"spec.exec.env", "65 variables, at most 64"}}));
}

KIND_MATRIX(ExecTest);

}  // namespace
}  // namespace zokiod::kinds
