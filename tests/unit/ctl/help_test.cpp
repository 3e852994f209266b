// SPDX-License-Identifier: Apache-2.0
// The help of every command against its golden file, and what the command line refuses.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "cli.h"

namespace zokioctl {
namespace {

struct Ran {
  int code;
  std::string out;
  std::string err;
};

Ran run(std::vector<std::string> words) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Context context(in, out, err);
  unsetenv("ZOKIO_ADDRESS");
  const int code = run_cli(words, context);
  return {code, out.str(), err.str()};
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : "_") + word;
  return out.empty() ? "zokioctl" : out;
}

const std::vector<std::vector<std::string>> kCommands = {{},
                                                         {"submit"},
                                                         {"run"},
                                                         {"job"},
                                                         {"job", "list"},
                                                         {"job", "get"},
                                                         {"job", "wait"},
                                                         {"job", "watch"},
                                                         {"job", "cancel"},
                                                         {"job", "requeue"},
                                                         {"job", "logs"},
                                                         {"queue"},
                                                         {"queue", "create"},
                                                         {"queue", "drain"},
                                                         {"admin"},
                                                         {"admin", "backup"},
                                                         {"resize"},
                                                         {"stats"},
                                                         {"status"},
                                                         {"health"},
                                                         {"drain"},
                                                         {"reload"},
                                                         {"version"}};

class Help : public ::testing::TestWithParam<std::vector<std::string>> {};

// Written anew by ZOKIO_UPDATE_GOLDEN=1.
TEST_P(Help, IsThatOfTheGoldenFile) {
  auto words = GetParam();
  const std::string path = std::string(ZOKIO_GOLDEN) + "/help_" + joined(words) + ".txt";
  words.push_back("--help");
  const auto ran = run(words);
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.err, "");
  if (std::getenv("ZOKIO_UPDATE_GOLDEN")) std::ofstream(path) << ran.out;
  std::stringstream golden;
  golden << std::ifstream(path).rdbuf();
  // The list of the top may have a command of another file below it.
  if (GetParam().empty())
    EXPECT_TRUE(ran.out.starts_with(golden.str().substr(0, golden.str().find("Subcommands:"))));
  else
    EXPECT_EQ(ran.out, golden.str());
}

INSTANTIATE_TEST_SUITE_P(All, Help, ::testing::ValuesIn(kCommands),
                         [](const auto& info) { return joined(info.param); });

TEST(Cli, WithoutArgumentsShowsTheHelp) {
  const auto ran = run({});
  EXPECT_EQ(ran.code, 0);
  EXPECT_NE(ran.out.find("Exit codes:"), std::string::npos);
}

TEST(Cli, WrongUseIsExitCode2OnStderr) {
  const std::vector<std::vector<std::string>> table = {
      {"nonsense"},
      {"job"},
      {"job", "get"},
      {"resize"},
      {"resize", "workers=x"},
      {"resize", "queues=1"},
      {"stats", "nonsense"},
      {"submit"},
      {"submit", "synthetic.spawn", "tasks=many"},
      {"submit", "exec", "-f", "jobs.jsonl"},
      {"submit", "-f", "/no/such/file"},
      {"--timeout", "soon", "status"},
      {"-o", "xml", "status"},
      {"job", "list", "--state", "nonsense"},
      {"job", "list", "--limit", "0"},
      {"submit", "exec", "--label", "x", "--", "true"},
  };
  for (const auto& words : table) {
    const auto ran = run(words);
    EXPECT_EQ(ran.code, 2) << joined(words) << ": " << ran.err;
    EXPECT_EQ(ran.out, "") << joined(words);
    EXPECT_TRUE(ran.err.starts_with("error: ")) << joined(words) << ": " << ran.err;
  }
}

TEST(Cli, RunFailsWith125WhateverWentWrong) {
  EXPECT_EQ(run({"run", "synthetic.spawn", "tasks=many"}).code, 125);
  EXPECT_EQ(run({"--address", "unix:///no/such.sock", "run", "exec", "--", "true"}).code, 125);
}

TEST(Cli, UnreachableIsExitCode5AndNamesTheSocket) {
  for (const auto& command : std::vector<std::vector<std::string>>{
           {"status"}, {"health"}, {"job", "list"}, {"submit", "exec", "--", "true"}}) {
    std::vector<std::string> words = {"--address", "unix:///no/such.sock"};
    words.insert(words.end(), command.begin(), command.end());
    const auto ran = run(words);
    EXPECT_EQ(ran.code, 5) << command[0] << ran.err;
    EXPECT_NE(ran.err.find("/no/such.sock"), std::string::npos);
    EXPECT_EQ(ran.out, "");
  }
}

TEST(Cli, VersionOfTheClientNeedsNoServer) {
  const auto ran = run({"version", "--client"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(ran.out.starts_with("zokioctl "));
}

TEST(Cli, GlobalOptionsMayFollowTheCommand) {
  const auto ran = run({"version", "--client", "-o", "json"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(ran.out.starts_with("{\"client\":"));
}

}  // namespace
}  // namespace zokioctl
