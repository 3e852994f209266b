// SPDX-License-Identifier: Apache-2.0

// Processes: how they end, what they inherit, and that none is left behind.

#include <dirent.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

#include "coroutine_asserts.h"
#include "runtime_fixture.h"
#include "temp_dir.h"
#include "zokio/process/command.h"

namespace zokio::process {
namespace {

using std::chrono::milliseconds;

// True while this process has a child at all, running or zombie.
bool has_children() {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

class ProcessTest : public test::RuntimeTest {
 protected:
  void TearDown() override {
    test::RuntimeTest::TearDown();
    EXPECT_FALSE(has_children());
  }
};

Command shell(std::string script) {
  return {.arguments = {"/bin/sh", "-c", std::move(script)}, .environment = {"PATH=/usr/bin:/bin"}};
}

Task<Result<std::string>> read_all(PipeReader* pipe) {
  std::string text;
  mem::Buffer buffer = *mem::lease(16 * 1024);
  for (;;) {
    IoResult got = co_await pipe->read(std::move(buffer));
    if (!got.n.has_value()) co_return fail(got.n.error());
    if (*got.n == 0) co_return text;
    text += as_text(got.buffer.bytes());
    buffer = std::move(got.buffer);
  }
}

struct Finished {
  ExitStatus status;
  std::string output;
  std::string error;
};

Task<Result<Finished>> run(Command command) {
  ZOKIO_CO_TRY(Child child, command.spawn());
  Finished finished;
  // One after the other would stop a child that fills the second pipe.
  auto error = spawn(read_all, &child.standard_error());
  auto output = co_await read_all(&child.standard_output());
  auto joined = co_await error;
  if (!output.has_value()) co_return fail(output.error());
  if (!joined.has_value()) co_return fail(joined.error());
  finished.output = *std::move(output);
  finished.error = *std::move(joined);
  ZOKIO_CO_TRY(finished.status, co_await child.wait());
  co_return finished;
}

Task<void> endings() {
  auto good = co_await run(shell("echo out; echo err >&2"));
  CO_ASSERT_OK(good);
  EXPECT_TRUE(good->status.success());
  EXPECT_EQ(good->output, "out\n");
  EXPECT_EQ(good->error, "err\n");
  auto code = co_await run(shell("exit 37"));
  CO_ASSERT_OK(code);
  EXPECT_EQ(code->status.code, 37);
  EXPECT_EQ(code->status.to_string(), "exit code 37");
  auto killed = co_await run(shell("kill -TERM $$"));
  CO_ASSERT_OK(killed);
  EXPECT_TRUE(killed->status.signaled);
  EXPECT_EQ(killed->status.signal, SIGTERM);
  EXPECT_EQ(killed->status.to_string(), "signal 15 (Terminated)");
}

TEST_P(ProcessTest, CodesSignalsAndOutput) {
  ASSERT_TRUE(runtime_->block_on(endings).has_value());
}

Task<void> merged() {
  Command command = shell("for i in 1 2 3 4 5 6 7 8; do echo out $i; echo err $i >&2; done");
  command.standard_error = Output::Merged;
  auto child = command.spawn();
  CO_ASSERT_OK(child);
  std::string expected;
  for (int i = 1; i <= 8; ++i) {
    expected += "out " + std::to_string(i) + "\nerr " + std::to_string(i) + "\n";
  }
  auto text = co_await read_all(&child->standard_output());
  CO_ASSERT_OK(text);
  EXPECT_EQ(*text, expected);
  CO_ASSERT_OK(co_await child->wait());

  command.standard_error = Output::Pipe;
  command.standard_output = Output::Merged;
  auto refused = command.spawn();
  CO_ASSERT(!refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::InvalidArgument);
  EXPECT_STREQ(refused.error().where, "standard_output");
}

TEST_P(ProcessTest, MergedOutputKeepsTheOrderOfWriting) {
  ASSERT_TRUE(runtime_->block_on(merged).has_value());
}

Task<void> refusals(std::string base) {
  struct Case {
    Command command;
    int error;
    std::string where;
  };
  const std::vector<Case> cases = {
      {{.arguments = {base + "/missing"}}, ENOENT, "exec"},
      {{.arguments = {base + "/not_executable"}}, EACCES, "exec"},
      {{.arguments = {base + "/not_a_program"}}, ENOEXEC, "exec"},
      {{.arguments = {base}}, EACCES, "exec"},
      {{.arguments = {"no_such_program_anywhere"}}, ENOENT, "exec"},
      {{.arguments = {"/bin/true"}, .working_directory = base + "/missing"}, ENOENT, "chdir"},
  };
  for (const Case& c : cases) {
    auto child = c.command.spawn();
    CO_ASSERT(!child.has_value());
    EXPECT_EQ(child.error().os_errno, c.error) << c.command.arguments[0];
    EXPECT_EQ(child.error().where, c.where) << c.command.arguments[0];
  }
  EXPECT_EQ(Command{}.spawn().error().code, Errc::InvalidArgument);
  const Command nul{.arguments = {"/bin/echo", std::string("a\0b", 3)}};
  EXPECT_EQ(nul.spawn().error().code, Errc::InvalidArgument);
  co_return;
}

TEST_P(ProcessTest, WhatCannotStartSaysWhy) {
  test::TempDir dir;
  std::ofstream(dir / "not_executable") << "#!/bin/sh\n";
  std::ofstream(dir / "not_a_program") << "nonsense";
  ASSERT_EQ(chmod((dir / "not_a_program").c_str(), 0755), 0);
  ASSERT_TRUE(runtime_->block_on(refusals, dir.path()).has_value());
}

Task<void> inheritance(std::string base) {
  Command command = shell(
      "pwd; echo $GIVEN; echo ${NOTIFY_SOCKET-none}; echo ${HOME-none}; umask; ulimit -n;"
      "ls /proc/self/fd | wc -l; cat; grep -c 'NoNewPrivs:.1' /proc/self/status;"
      "grep SigIgn /proc/self/status; grep SigBlk /proc/self/status;"
      "test $(ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat) = $$ && echo leader");
  command.environment.push_back("GIVEN=yes");
  command.environment.push_back("NOTIFY_SOCKET=/run/systemd/notify");
  command.working_directory = base;
  command.umask = 027;
  auto finished = co_await run(std::move(command));
  CO_ASSERT_OK(finished);
  // 4 descriptors: the three, and the directory that ls reads.
  EXPECT_EQ(finished->output, base +
                                  "\nyes\nnone\nnone\n0027\n1024\n4\n1\n"
                                  "SigIgn:\t0000000000000000\nSigBlk:\t0000000000000000\nleader\n");
  EXPECT_EQ(finished->error, "");
}

TEST_P(ProcessTest, InheritsOnlyWhatWasAskedFor) {
  test::TempDir dir;
  const int leaked = dup(0);  // not close-on-exec, as a careless library would make it
  ASSERT_GE(leaked, 3);
  signal(SIGPIPE, SIG_IGN);
  ASSERT_TRUE(runtime_->block_on(inheritance, dir.path()).has_value());
  signal(SIGPIPE, SIG_DFL);
  close(leaked);
}

Task<void> big_output() {
  // More than a pipe holds, on both, so that reading one only would stop it.
  auto finished = co_await run(
      shell("head -c 3000000 /dev/zero | tr '\\0' x; head -c 2000000 /dev/zero | tr '\\0' y >&2"));
  CO_ASSERT_OK(finished);
  EXPECT_TRUE(finished->status.success());
  EXPECT_EQ(finished->output, std::string(3'000'000, 'x'));
  EXPECT_EQ(finished->error, std::string(2'000'000, 'y'));
}

TEST_P(ProcessTest, BigOutput) {
  ASSERT_TRUE(runtime_->block_on(big_output).has_value());
}

Task<void> group() {
  auto child = shell("sleep 1000 & echo $!; wait").spawn();
  CO_ASSERT_OK(child);
  IoResult line = co_await child->standard_output().read(*mem::lease(64));
  CO_ASSERT_OK(line.n);
  const pid_t grandchild = std::stoi(std::string(as_text(line.buffer.bytes())));
  EXPECT_EQ(::kill(grandchild, 0), 0);

  auto waiting = co_await with_timeout(child->wait(), milliseconds(5));
  CO_ASSERT(!waiting.has_value());
  EXPECT_EQ(waiting.error().code, Errc::DeadlineExceeded);
  EXPECT_EQ(child->reap().error().code, Errc::FailedPrecondition);

  auto killed = child->kill_group(SIGKILL);
  CO_ASSERT_OK(killed);
  auto status = co_await child->wait();
  CO_ASSERT_OK(status);
  EXPECT_EQ(status->signal, SIGKILL);
  EXPECT_TRUE(child->reaped());
  EXPECT_EQ(child->kill(SIGTERM).error().code, Errc::FailedPrecondition);
  EXPECT_EQ(child->kill_group(SIGTERM).error().code, Errc::FailedPrecondition);
  // The end of the pipe: every process of the group is gone.
  IoResult end = co_await child->standard_output().read(*mem::lease(64));
  CO_ASSERT_OK(end.n);
  EXPECT_EQ(*end.n, 0u);
}

TEST_P(ProcessTest, TheGroupIsKilledAsAWhole) {
  ASSERT_TRUE(runtime_->block_on(group).has_value());
}

Task<void> dropped(pid_t* pid) {
  auto child = shell("trap '' TERM INT; sleep 1000").spawn();
  CO_ASSERT_OK(child);
  *pid = child->pid();
  EXPECT_EQ(::kill(*pid, 0), 0);
  co_return;
}

TEST_P(ProcessTest, ADroppedChildIsKilledAndReaped) {
  pid_t pid = 0;
  ASSERT_TRUE(runtime_->block_on(dropped, &pid).has_value());
  ASSERT_GT(pid, 0);
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

Task<Result<int>> exits_with(int code) {
  auto finished = co_await run(shell("exit " + std::to_string(code)));
  if (!finished.has_value()) co_return fail(finished.error());
  co_return finished->status.code;
}

Task<void> many(int count) {
  std::vector<JoinHandle<Result<int>>> handles;
  for (int i = 0; i < count; ++i) handles.push_back(spawn(exits_with, i % 256));
  for (int i = 0; i < count; ++i) {
    auto code = co_await handles[static_cast<std::size_t>(i)];
    CO_ASSERT_OK(code);
    EXPECT_EQ(*code, i % 256);
  }
}

TEST_P(ProcessTest, TwoHundredChildrenLeaveNothing) {
  ASSERT_TRUE(runtime_->block_on(many, 200).has_value());
  EXPECT_FALSE(has_children());
}

ZOKIO_RUNTIME_MATRIX(ProcessTest);

}  // namespace
}  // namespace zokio::process
