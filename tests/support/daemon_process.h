// SPDX-License-Identifier: Apache-2.0
#pragma once

// A real zokiod in a directory of its own: start, wait until it says that it serves, talk to it by
// its socket, stop or kill it, start it again on the same state.
//
// Readiness is what systemd would see (NOTIFY_SOCKET), so nothing is polled. The binary is
// ZOKIOD_BINARY of the environment, else the one of the same build. Thread: one.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "temp_dir.h"

extern char** environ;

namespace zokio::test {

// The binaries of this build stand beside the test.
inline std::string binary_path(const std::string& name, const char* variable) {
  if (const char* given = std::getenv(variable)) return given;
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

class DaemonProcess {
 public:
  struct Options {
    std::vector<std::string> arguments;    // after the usual ones: "--set", "workers=4", ...
    std::vector<std::string> environment;  // "NAME=value", added
    std::vector<std::string> wrapper;      // what runs zokiod: {"setpriv", ...}
    std::string config;                    // text of the configuration file; empty: none
    bool exec_enabled = true;
  };

  // Generous: a sanitizer build on a loaded machine.
  static constexpr std::chrono::seconds kStartMax{60};
  static constexpr std::chrono::seconds kStopMax{60};

  DaemonProcess() : DaemonProcess(Options()) {}
  explicit DaemonProcess(Options options) : options_(std::move(options)) {
    for (const char* name : {"run", "state", "data"})
      std::filesystem::create_directories(directory_ / name);
  }
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;
  ~DaemonProcess() {
    if (running()) {
      ::kill(pid_, SIGKILL);
      (void)wait_for_end(kStopMax);
    }
  }

  std::string run_dir() const { return directory_ / "run"; }
  std::string state_dir() const { return directory_ / "state"; }
  std::string data_dir() const { return directory_ / "data"; }  // the one root of the policy
  std::string socket_path() const { return run_dir() + "/zokiod.sock"; }
  std::string address() const { return "unix://" + socket_path(); }
  std::string config_path() const { return directory_ / "zokiod.toml"; }
  std::string log() const {
    std::ostringstream out;
    out << std::ifstream(directory_ / "log").rdbuf();
    return out.str();
  }
  pid_t pid() const { return pid_; }
  bool running() const { return pid_ > 0; }
  Options& options() { return options_; }

  // True when it serves. False: it ended or said nothing in time; log() tells why.
  bool start() {
    const int notify = open_notify_socket();
    if (notify < 0 || !spawn()) return false;
    const bool ready = wait_for_ready(notify);
    ::close(notify);
    return ready;
  }

  void send(int signal) const { ::kill(pid_, signal); }

  // The status of waitpid; nullopt: still running after `limit`.
  std::optional<int> wait_for_end(std::chrono::milliseconds limit) {
    if (!running()) return std::nullopt;
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    pollfd fds = {pidfd, POLLIN, 0};
    const int ended = ::poll(&fds, 1, static_cast<int>(limit.count()));
    ::close(pidfd);
    if (ended != 1) return std::nullopt;
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

  // SIGTERM and its end; the exit code, or -1.
  int stop() {
    send(SIGTERM);
    const auto status = wait_for_end(kStopMax);
    return status && WIFEXITED(*status) ? WEXITSTATUS(*status) : -1;
  }

  // SIGKILL and its end.
  void kill() {
    send(SIGKILL);
    (void)wait_for_end(kStopMax);
  }

  void write_config(const std::string& text) const { std::ofstream(config_path()) << text; }

 private:
  int open_notify_socket() const {
    const std::string path = directory_ / "notify";
    ::unlink(path.c_str());
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return -1;
    return fd;
  }

  std::vector<std::string> command() const {
    std::vector<std::string> out = options_.wrapper;
    for (const auto& word :
         {binary_path("zokiod", "ZOKIOD_BINARY"), std::string("--runtime-dir"), run_dir(),
          std::string("--state-dir"), state_dir(), std::string("--http"),
          std::string("127.0.0.1:0"), std::string("--set"), "policy.roots=[\"" + data_dir() + "\"]",
          std::string("--set"),
          std::string("policy.exec.enabled=") + (options_.exec_enabled ? "true" : "false")})
      out.push_back(word);
    if (!options_.config.empty()) {
      write_config(options_.config);
      out.insert(out.end(), {"--config", config_path()});
    }
    out.insert(out.end(), options_.arguments.begin(), options_.arguments.end());
    return out;
  }

  bool spawn() {
    const auto words = command();
    std::vector<std::string> environment;
    for (char** one = environ; *one != nullptr; ++one) environment.emplace_back(*one);
    environment.push_back("NOTIFY_SOCKET=" + (directory_ / "notify"));
    environment.insert(environment.end(), options_.environment.begin(), options_.environment.end());
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const std::string log_path = directory_ / "log";
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log_path.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    const int error = ::posix_spawnp(&pid_, words[0].c_str(), &actions, nullptr,
                                     pointers(words).data(), pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) pid_ = -1;
    return error == 0;
  }

  static std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> out;
    for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
    out.push_back(nullptr);
    return out;
  }

  bool wait_for_ready(int notify) {
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    const auto deadline = std::chrono::steady_clock::now() + kStartMax;
    bool ready = false;
    while (!ready) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      pollfd fds[2] = {{notify, POLLIN, 0}, {pidfd, POLLIN, 0}};
      if (left.count() <= 0 || ::poll(fds, 2, static_cast<int>(left.count())) <= 0) break;
      if (fds[0].revents != 0) {
        char text[4096];
        const ssize_t size = ::recv(notify, text, sizeof text, 0);
        ready = size > 0 &&
                std::string(text, static_cast<size_t>(size)).find("READY=1") != std::string::npos;
      } else if (fds[1].revents != 0) {
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
        break;
      }
    }
    ::close(pidfd);
    return ready;
  }

  TempDir directory_;
  Options options_;
  pid_t pid_ = -1;
};

}  // namespace zokio::test
