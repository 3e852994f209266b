// SPDX-License-Identifier: Apache-2.0
#include "zokio/process/command.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "os/pidfd.h"
#include "os/spawn.h"
#include "zokio/base/assert.h"

namespace zokio::process {
namespace {

// What tells a program that it was started by a service manager: it is not so for our children.
constexpr std::array<std::string_view, 6> kNeverInherited = {
    "NOTIFY_SOCKET=", "LISTEN_FDS=",    "LISTEN_FDNAMES=",
    "LISTEN_PID=",    "WATCHDOG_USEC=", "WATCHDOG_PID="};

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

bool has_nul(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

bool inherited(std::string_view variable) {
  return std::ranges::none_of(kNeverInherited,
                              [&](std::string_view name) { return variable.starts_with(name); });
}

// Descriptors of the child's end must not be 0, 1 or 2, which it overwrites.
Result<os::Fd> above_standard(os::Fd fd) {
  if (fd.get() >= 3) return fd;
  os::Fd moved(fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!moved) return fail_errno(errno, "fcntl");
  return moved;
}

struct PipePair {
  os::Fd read;
  os::Fd write;
};

Result<PipePair> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe2");
  PipePair pair{.read = os::Fd(ends[0]), .write = os::Fd(ends[1])};
  // Our end only: the flag belongs to an end, and programs expect blocking output.
  if (fcntl(pair.read.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno(errno, "fcntl");
  ZOKIO_TRY(pair.write, above_standard(std::move(pair.write)));
  return pair;
}

Result<os::Fd> open_null() {
  os::Fd fd(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "/dev/null");
  return above_standard(std::move(fd));
}

std::string find_program(const Command& command) {
  const std::string& name = command.arguments.front();
  if (name.find('/') != std::string::npos) return name;
  std::string_view path = kDefaultPath;
  for (const std::string& variable : command.environment) {
    if (variable.starts_with("PATH=")) path = std::string_view(variable).substr(5);
  }
  while (!path.empty()) {
    const auto colon = path.find(':');
    const std::string_view directory = path.substr(0, colon);
    path = colon == std::string_view::npos ? "" : path.substr(colon + 1);
    if (directory.empty()) continue;  // the working directory is not searched
    std::string candidate = std::string(directory) + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

std::vector<char*> pointers(const std::vector<std::string>& strings, bool filter) {
  std::vector<char*> out;
  for (const std::string& text : strings) {
    if (!filter || inherited(text)) out.push_back(const_cast<char*>(text.c_str()));
  }
  out.push_back(nullptr);
  return out;
}

Result<void> validate(const Command& command) {
  if (command.arguments.empty() || command.arguments.front().empty()) {
    return fail(Errc::InvalidArgument, "arguments");
  }
  if (std::ranges::any_of(command.arguments, has_nul)) {
    return fail(Errc::InvalidArgument, "arguments");
  }
  if (std::ranges::any_of(command.environment, has_nul)) {
    return fail(Errc::InvalidArgument, "environment");
  }
  if (has_nul(command.working_directory)) return fail(Errc::InvalidArgument, "working_directory");
  if (command.standard_output == Output::Merged) {
    return fail(Errc::InvalidArgument, "standard_output");
  }
  return {};
}

}  // namespace

Result<Child> Command::spawn() const {
  ZOKIO_CHECKED(validate(*this));
  const std::string program = find_program(*this);
  if (program.empty()) return fail_errno(ENOENT, "exec");

  ZOKIO_TRY(os::Fd null, open_null());
  PipePair output;
  PipePair error;
  if (standard_output == Output::Pipe) {
    ZOKIO_TRY(output, make_pipe());
  }
  if (standard_error == Output::Pipe) {
    ZOKIO_TRY(error, make_pipe());
  }
  const int output_fd = output.write ? output.write.get() : null.get();
  const int error_fd = standard_error == Output::Merged ? output_fd
                       : error.write                    ? error.write.get()
                                                        : null.get();
  const std::vector<char*> argv = pointers(arguments, false);
  const std::vector<char*> envp = pointers(environment, true);
  std::vector<os::SpawnLimit> caps;
  for (const Limit& limit : limits) caps.push_back({limit.resource, limit.value});
  ZOKIO_TRY(
      const pid_t pid,
      os::spawn({
          .path = program.c_str(),
          .arguments = argv.data(),
          .environment = envp.data(),
          .working_directory = working_directory.empty() ? nullptr : working_directory.c_str(),
          .standard_input = null.get(),
          .standard_output = output_fd,
          .standard_error = error_fd,
          .umask = umask,
          .max_fds = max_fds,
          .limits = caps.data(),
          .limit_count = caps.size(),
      }));
  auto pidfd = os::open_pidfd(pid);
  if (!pidfd) {
    // Without its descriptor nobody could wait for it.
    ::kill(-pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return fail(pidfd.error());
  }
  return Child(pid, *std::move(pidfd), PipeReader(std::move(output.read)),
               PipeReader(std::move(error.read)));
}

}  // namespace zokio::process
