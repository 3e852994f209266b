// SPDX-License-Identifier: Apache-2.0
#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace zokiod::config {
namespace {

using testing::ElementsAre;

std::string errors_of(std::string_view text, const std::vector<Override>& overrides = {}) {
  const auto config = parse(text, "z.toml", overrides);
  return config ? "" : to_string(config.error());
}

TEST(Load, EmptyFileIsTheDefaults) {
  const auto config = parse("", "z.toml");
  ASSERT_TRUE(config);
  EXPECT_EQ(*config, Config{});
}

TEST(Load, EveryKeyIsTaken) {
  const auto config = parse(R"(
workers = 3
reactors = 2
autosize = "cgroup"
memory_limit = "1GiB"
state_dir = "/s"
[io]
backend = "epoll"
placement = "dedicated"
ring_entries = 64
receive_buffers = 512
blocking_threads = 2
[pools]
frames_limit = 1048576
buffers_limit = "64MiB"
heap_limit = "32MiB"
frames_thread_cache = "1MiB"
buffers_thread_cache = "2MiB"
heap_thread_cache = "3MiB"
frames_central_cache = "4MiB"
buffers_central_cache = "5MiB"
heap_central_cache = "6MiB"
buffers_when_full = "wait"
heap_when_full = "overflow"
decay = "11s"
huge_pages = true
[rpc]
runtime_dir = "/r"
socket_mode = "0600"
socket_group = "zokio"
message_limit = "1MiB"
reflection = false
[http]
address = "[::1]:1234"
[jobs]
concurrency = 5
queue_limit = 6
retain_finished = 7
output_limit = "8KiB"
drain_timeout = "9s"
queues = ["bulk shares=5"]
[policy]
roots = ["/data", "/srv/x"]
listen = ["127.0.0.0/8"]
connect = ["public", "::1"]
plugins = ["p 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef /p.so"]
allowed_uids = [1000, 1001]
allowed_gids = [100]
[policy.exec]
enabled = true
env = ["PATH"]
[soak]
allow_faults = true
[log]
level = "debug"
)",
                            "z.toml");
  ASSERT_TRUE(config) << to_string(config.error());
  Config want;
  want.workers = 3;
  want.reactors = 2;
  want.autosize = "cgroup";
  want.memory_limit = {1ull << 30};
  want.state_dir = "/s";
  want.io = {"epoll", "dedicated", 64, 512, 2};
  want.pools = {{1048576},    {64ull << 20}, {32ull << 20}, {1ull << 20},
                {2ull << 20}, {3ull << 20},  {4ull << 20},  {5ull << 20},
                {6ull << 20}, "wait",        "overflow",    {std::chrono::seconds(11)},
                true};
  want.rpc = {"/r", "0600", "zokio", {1ull << 20}, false};
  want.http = {"[::1]:1234"};
  want.jobs = {5, 6, 7, {8192}, {std::chrono::seconds(9)}, {"bulk shares=5"}};
  want.policy = {true, {"PATH"}, {"/data", "/srv/x"}, {1000, 1001}, {100},
                 {"127.0.0.0/8"}, {"public", "::1"},
                 {"p 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef /p.so"}};
  want.soak = {true};
  want.log = {"debug"};
  EXPECT_EQ(*config, want);
  // None of the rows was left at its default, so a row that is not read would show.
  for (const Field& field : fields())
    EXPECT_NE(to_toml(field, *config), to_toml(field, Config{})) << field.key;
}

struct Bad {
  const char* text;
  const char* error;
};

TEST(Load, ErrorsSayWhereAndWhat) {
  const Bad table[] = {
      {"workers = \"four\"", "z.toml:1:11: workers: want a whole number, got text\n"},
      {"workers = 257", "z.toml:1:11: workers: 257 is above 256\n"},
      {"workers = -1", "z.toml:1:11: workers: -1 is not between 0 and 256\n"},
      {"workers = 2.5", "z.toml:1:11: workers: want a whole number, got a number with a point\n"},
      {"\n  wrokers = 4", "z.toml:2:3: unknown key \"wrokers\"; did you mean \"workers\"?\n"},
      {"backend = \"epoll\"",
       "z.toml:1:1: unknown key \"backend\"; did you mean \"io.backend\"?\n"},
      {"[job]\nconcurrency = 4", "z.toml:1:2: unknown table \"job\"; did you mean \"jobs\"?\n"},
      {"[io]\nbackend = \"io_uring\"",
       "z.toml:2:11: io.backend: \"io_uring\" is not one of auto, uring, epoll; did you mean "
       "\"uring\"?\n"},
      {"[io]\nbackend = \"kqueue\"",
       "z.toml:2:11: io.backend: \"kqueue\" is not one of auto, uring, epoll\n"},
      {"[io]\nring_entries = 4", "z.toml:2:16: io.ring_entries: 4 is below 32\n"},
      {"io = 3", "z.toml:1:1: unknown key \"io\"\n"},
      {"workers = []", "z.toml:1:11: workers: want a whole number, got a list\n"},
      {"memory_limit = \"12XB\"",
       "z.toml:1:16: memory_limit: \"12XB\" is not a size: want bytes or \"64MiB\"\n"},
      {"memory_limit = true",
       "z.toml:1:16: memory_limit: want a size: bytes or \"64MiB\", got true or false\n"},
      {"[jobs]\ndrain_timeout = 30",
       "z.toml:2:17: jobs.drain_timeout: want a duration such as \"30s\", got a whole number\n"},
      {"[jobs]\ndrain_timeout = \"25h\"", "z.toml:2:17: jobs.drain_timeout: 25h is above 24h\n"},
      {"[jobs]\noutput_limit = \"1GiB\"", "z.toml:2:16: jobs.output_limit: 1GiB is above 16MiB\n"},
      {"[jobs]\nqueues = [\"a\", \"a\"]", "z.toml:2:10: jobs.queues: queue \"a\" has two lines\n"},
      {"[jobs]\nqueues = [\"A\"]",
       "z.toml:2:10: jobs.queues: \"A\" is no name of 1 to 63 of a-z 0-9 . _ -, the first a letter "
       "or digit\n"},
      {"[jobs]\nqueues = [\"a shares=0\"]",
       "z.toml:2:10: jobs.queues: queue \"a\": shares: \"0\" is no number of 1 to 10000\n"},
      {"[jobs]\nqueues = [\"a speed=1\"]",
       "z.toml:2:10: jobs.queues: queue \"a\": speed: unknown; there are: priority shares "
       "concurrency size_limit rate burst\n"},
      {"[jobs]\nqueues = [\"a rate=1/x\"]",
       "z.toml:2:10: jobs.queues: queue \"a\": rate: \"1/x\" is no rate such as 10/s, 100/5m\n"},
      {"[policy]\nroots = \"/data\"", "z.toml:2:9: policy.roots: want a list of texts, got text\n"},
      {"[policy]\nroots = [\"/data\", 3]",
       "z.toml:2:9: policy.roots: item 2: want a list of texts\n"},
      {"[policy]\nconnect = [\"public\", \"10.0.0.0/40\"]",
       "z.toml:2:11: policy.connect: \"10.0.0.0/40\" is no network such as \"10.0.0.0/8\", no "
       "address and not \"public\"\n"},
      {"[policy]\nplugins = [\"p 12 /p.so\"]",
       "z.toml:2:11: policy.plugins: \"p 12 /p.so\" is not NAME SHA256 PATH with a name of a-z, 0-9, "
       "\"-_.\", 64 digits and an absolute path\n"},
      {"[policy]\nroots = [\"data\"]",
       "z.toml:2:9: policy.roots: \"data\" is not an absolute path\n"},
      {"[policy]\nroots = [\"/data/../etc\"]",
       "z.toml:2:9: policy.roots: \"/data/../etc\" is not in its plain form; write \"/etc\"\n"},
      {"[policy]\nroots = [\"/data//x\"]",
       "z.toml:2:9: policy.roots: \"/data//x\" is not in its plain form; write \"/data/x\"\n"},
      {"[policy]\nallowed_uids = [-1]",
       "z.toml:2:16: policy.allowed_uids: item 1: want a list of whole numbers\n"},
      {"[policy.exec]\nenabled = 1",
       "z.toml:2:11: policy.exec.enabled: want true or false, got a whole number\n"},
      {"[policy.exec]\nenv = [\"A=1\"]",
       "z.toml:2:7: policy.exec.env: \"A=1\" is not the name of a variable\n"},
      {"state_dir = \"var\"", "z.toml:1:13: state_dir: \"var\" is not an absolute path\n"},
      {"state_dir = \"/var/\"",
       "z.toml:1:13: state_dir: \"/var/\" is not in its plain form; write \"/var\"\n"},
      {"[http]\naddress = \"localhost:80\"",
       "z.toml:2:11: http.address: \"localhost:80\" is not ADDRESS:PORT with a numeric address\n"},
      {"[http]\naddress = \"127.0.0.1:99999\"",
       "z.toml:2:11: http.address: \"127.0.0.1:99999\" is not ADDRESS:PORT with a numeric "
       "address\n"},
      {"[rpc]\nsocket_mode = \"0999\"",
       "z.toml:2:15: rpc.socket_mode: \"0999\" is not an octal mode such as \"0660\"\n"},
      {"memory_limit = \"1MiB\"\n[pools]\nframes_limit = \"2MiB\"",
       "z.toml:3:16: pools.frames_limit: 2MiB is above memory_limit (1MiB)\n"},
      {"memory_limit = 5", "z.toml:1:16: memory_limit: 5 is below 1MiB\n"},
  };
  for (const Bad& bad : table) EXPECT_EQ(errors_of(bad.text), bad.error) << bad.text;
}

TEST(Load, SyntaxErrorsHaveTheirPlace) {
  for (const char* text : {"workers = = 3", "a = 1\nworkers = [1,", "[io",
                           "workers = 1\nworkers = 2", "x = \"never closed"}) {
    const auto config = parse(text, "z.toml");
    ASSERT_FALSE(config) << text;
    ASSERT_EQ(config.error().size(), 1u) << text;
    EXPECT_GE(config.error()[0].origin.line, 1u) << text;
    EXPECT_FALSE(config.error()[0].message.empty());
  }
  EXPECT_TRUE(errors_of("a = 1\nworkers = = 3").starts_with("z.toml:2:11: "));
}

TEST(Load, AllErrorsAtOnceInTheOrderOfTheFile) {
  EXPECT_EQ(errors_of("workers = 999\nstate_dir = 4\n[log]\nlevel = \"loud\"\n[jbos]\nx = 1\n"),
            "z.toml:1:11: workers: 999 is above 256\n"
            "z.toml:2:13: state_dir: want text, got a whole number\n"
            "z.toml:4:9: log.level: \"loud\" is not one of trace, debug, info, warn, error, off\n"
            "z.toml:5:2: unknown table \"jbos\"; did you mean \"jobs\"?\n");
}

TEST(Load, OverridesWinAndAreNamedInErrors) {
  const std::vector<Override> good = {{"workers", "8", "--set workers=8"},
                                      {"io.backend", "epoll", "--set io.backend=epoll"},
                                      {"rpc.socket_mode", "0600", "--set rpc.socket_mode=0600"},
                                      {"policy.roots", "[\"/a\", \"/b\"]", "--set ..."},
                                      {"state_dir", "/tmp/s", "--state-dir /tmp/s"},
                                      {"jobs.drain_timeout", "5s", "--set jobs.drain_timeout=5s"},
                                      {"http.address", "", "--http ''"}};
  const auto config = parse("workers = 2\n[http]\naddress = \"127.0.0.1:1\"", "z.toml", good);
  ASSERT_TRUE(config) << to_string(config.error());
  EXPECT_EQ(config->workers, 8u);
  EXPECT_EQ(config->io.backend, "epoll");
  EXPECT_EQ(config->rpc.socket_mode, "0600");
  EXPECT_THAT(config->policy.roots, ElementsAre("/a", "/b"));
  EXPECT_EQ(config->state_dir, "/tmp/s");
  EXPECT_EQ(config->jobs.drain_timeout.value, std::chrono::seconds(5));
  EXPECT_EQ(config->http.address, "");

  EXPECT_EQ(errors_of("", {{"workers", "many", "--set workers=many"},
                           {"job.concurrency", "1", "--set job.concurrency=1"},
                           {"http.address", "nope", "--http nope"}}),
            "--http nope: http.address: \"nope\" is not ADDRESS:PORT with a numeric address\n"
            "--set job.concurrency=1: unknown key \"job.concurrency\"; did you mean "
            "\"jobs.concurrency\"?\n"
            "--set workers=many: workers: want a whole number, got text\n");
}

TEST(Load, AnOverrideCannotSmuggleInASecondKey) {
  EXPECT_EQ(errors_of("", {{"workers", "1\nstate_dir = \"/x\"", "--set workers=..."}}),
            "--set workers=...: workers: want a whole number, got text\n");
}

TEST(Load, FilesThatCannotBeRead) {
  const auto missing = load({"/nonexistent/zokiod.toml", {}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(to_string(missing.error()), "/nonexistent/zokiod.toml: No such file or directory\n");
  const auto directory = load({"/tmp", {}});
  ASSERT_FALSE(directory);
  EXPECT_EQ(to_string(directory.error()), "/tmp: not a regular file\n");
}

TEST(DefaultFile, UncommentedItIsTheDefaults) {
  const std::string uncommented =
      std::regex_replace(default_file(), std::regex("#([a-z_]+ = )"), "$1");
  EXPECT_NE(uncommented, default_file());
  const auto config = parse(uncommented, "default");
  ASSERT_TRUE(config) << to_string(config.error());
  EXPECT_EQ(*config, Config{});
}

// Keys of a file, commented out ("#key = value") or not.
std::set<std::string> keys_of(const std::string& text) {
  std::set<std::string> keys;
  std::istringstream in(text);
  std::string line, table;
  std::smatch m;
  while (std::getline(in, line)) {
    if (std::regex_match(line, m, std::regex(R"(#?\[([a-z_.]+)\]\s*)")))
      table = m[1].str() + ".";
    else if (std::regex_search(line, m, std::regex(R"(^#?([a-z_]+) = )")))
      keys.insert(table + m[1].str());
  }
  return keys;
}

TEST(DefaultFile, HasEveryKeyOnce) {
  std::set<std::string> want;
  for (const Field& field : fields()) want.insert(std::string(field.key));
  EXPECT_EQ(want.size(), fields().size());
  EXPECT_EQ(keys_of(default_file()), want);
}

// The sample that is installed: it parses, and it names every key that there is.
TEST(SampleFile, NamesEveryKeyAndParses) {
  const std::string path = ZOKIO_SOURCE_DIR "/deploy/systemd/zokiod.toml";
  std::ifstream in(path);
  ASSERT_TRUE(in) << path;
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto config = parse(text, path);
  EXPECT_TRUE(config) << to_string(config.error());
  std::set<std::string> want;
  for (const Field& field : fields()) want.insert(std::string(field.key));
  EXPECT_EQ(keys_of(text), want);
}

}  // namespace
}  // namespace zokiod::config
