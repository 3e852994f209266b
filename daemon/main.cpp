// SPDX-License-Identifier: Apache-2.0
// zokiod: arguments -> configuration -> Daemon -> exit code (README.md lists the codes).

#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "daemon.h"
#include "lifecycle/log.h"
#include "lifecycle/signals.h"
#include "metrics/build_info.h"

namespace {

using zokiod::Exit;

constexpr auto code = [](Exit exit) { return static_cast<int>(exit); };

int run(int argc, char** argv) {
  CLI::App app("zokiod runs durable jobs on the zokio runtime.");
  zokiod::config::Request request;
  std::string runtime_dir, state_dir, http;
  std::vector<std::string> sets;
  bool ephemeral = false, check = false, print = false, version = false;
  app.add_option("--config", request.path, "Configuration file (/etc/zokio/zokiod.toml)");
  auto* runtime_flag = app.add_option("--runtime-dir", runtime_dir, "Directory of the socket");
  auto* state_flag = app.add_option("--state-dir", state_dir, "Directory of the job store");
  auto* http_flag = app.add_option("--http", http, "ADDR:PORT of metrics and health; \"\": none");
  app.add_option("--set", sets, "KEY=VALUE: a setting of the file")->allow_extra_args(false);
  app.add_flag("--ephemeral", ephemeral, "Keep jobs in memory only");
  app.add_flag("--check-config", check, "Check the configuration and exit");
  app.add_flag("--print-config", print, "Print the documented default configuration and exit");
  app.add_flag("--version", version, "Print the version and exit");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? code(Exit::Stopped) : code(Exit::Configuration);
  }
  if (version)
    return std::printf("zokiod %s (%s)\n", zokiod::metrics::kVersion, zokiod::metrics::kRevision) <
           0;
  if (print) return std::fputs(zokiod::config::default_file().c_str(), stdout) < 0;

  const auto override_with = [&](std::string key, std::string value, const std::string& flag) {
    request.overrides.push_back({std::move(key), std::move(value), flag});
  };
  for (const std::string& set : sets) {
    const size_t eq = std::min(set.find('='), set.size());
    override_with(set.substr(0, eq), set.substr(std::min(eq + 1, set.size())), "--set " + set);
  }
  if (*runtime_flag) override_with("rpc.runtime_dir", runtime_dir, "--runtime-dir " + runtime_dir);
  if (*state_flag) override_with("state_dir", state_dir, "--state-dir " + state_dir);
  if (*http_flag) override_with("http.address", http, "--http " + http);
  auto config = zokiod::config::load(request);
  if (!config) {
    std::fputs(zokiod::config::to_string(config.error()).c_str(), stderr);
    return code(Exit::Configuration);
  }
  if (check) return code(Exit::Stopped);
  zokiod::lifecycle::block_signals();
  zokiod::lifecycle::start_log(config->log.level);
  auto daemon = zokiod::Daemon::start({std::move(request), *std::move(config), ephemeral});
  if (daemon) return code((*daemon)->run());
  spdlog::error("cannot start: {} ({})", daemon.error().message, daemon.error().reason);
  return code(Exit::Failed);
}

}  // namespace

// The fence: an exception that comes this far is a bug of ours or a machine without memory.
int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "zokiod: %s\n", e.what());
    return code(Exit::Failed);
  }
}
