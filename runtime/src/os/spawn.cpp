// SPDX-License-Identifier: Apache-2.0
#include "os/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "zokio/base/assert.h"
#include "zokio/os/fd.h"

namespace zokio::os {
namespace {

// The steps in the child that may fail; the index travels through the pipe with the errno.
enum Step : int { kSession, kLimits, kPrivileges, kDescriptors, kDirectory, kExec };
constexpr std::array<const char*, 6> kStepNames = {"setpgid", "setrlimit", "prctl",
                                                   "dup2",    "chdir",     "exec"};

struct Report {
  int step;
  int error;
};

// The child shares this thread's memory until exec, so it may change locals of its own only, and
// call nothing that takes a lock.
[[noreturn]] void die(int report_fd, Step step) noexcept {
  const Report report{.step = step, .error = errno};
  ssize_t n;
  do {
    n = write(report_fd, &report, sizeof report);
  } while (n < 0 && errno == EINTR);
  _exit(127);
}

// Handlers would run code of this program in the child; ignored signals would stay ignored.
void reset_signals() noexcept {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &action, nullptr);
}

void unblock_signals() noexcept {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Descriptors that a library opened without close-on-exec must not leak into a job.
bool close_others_on_exec() noexcept {
  if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) == 0) return true;
  if (errno != ENOSYS && errno != EINVAL) return false;
  rlimit limit{};  // Linux before 5.11
  getrlimit(RLIMIT_NOFILE, &limit);
  for (rlim_t fd = 3; fd < limit.rlim_cur; ++fd) fcntl(static_cast<int>(fd), F_SETFD, FD_CLOEXEC);
  return true;
}

bool limit_fds(uint64_t max_fds) noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  limit.rlim_cur = std::min<rlim_t>(max_fds, limit.rlim_max);
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

bool limit_others(const SpawnRequest& request) noexcept {
  for (size_t i = 0; i < request.limit_count; ++i) {
    const auto resource = static_cast<__rlimit_resource_t>(request.limits[i].resource);
    rlimit limit{};
    if (getrlimit(resource, &limit) != 0) return false;
    const rlim_t most = limit.rlim_max;
    limit.rlim_cur = std::min<rlim_t>(request.limits[i].value, most);
    // A second later than the signal that says why, comes the one that cannot be caught.
    limit.rlim_max = resource == RLIMIT_CPU ? std::min(limit.rlim_cur + 1, most) : limit.rlim_cur;
    if (setrlimit(resource, &limit) != 0) return false;
  }
  return true;
}

[[noreturn]] void run_child(const SpawnRequest& request, int report_fd) noexcept {
  reset_signals();
  if (setpgid(0, 0) != 0) die(report_fd, kSession);
  umask(static_cast<mode_t>(request.umask));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) die(report_fd, kPrivileges);
  if (dup2(request.standard_input, 0) < 0 || dup2(request.standard_output, 1) < 0 ||
      dup2(request.standard_error, 2) < 0 || !close_others_on_exec()) {
    die(report_fd, kDescriptors);
  }
  if (request.working_directory != nullptr && chdir(request.working_directory) != 0) {
    die(report_fd, kDirectory);
  }
  // After the descriptors: a limit below their numbers would refuse dup2.
  if (!limit_fds(request.max_fds) || !limit_others(request)) die(report_fd, kLimits);
  unblock_signals();
  execve(request.path, request.arguments, request.environment);
  die(report_fd, kExec);
}

// Kept out of line: the frame of the function that calls vfork must not be shared with others.
[[gnu::noinline]] pid_t fork_and_run(const SpawnRequest& request, int report_fd) noexcept {
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
  // The parent stops until exec, and no page tables are copied: with gigabytes of memory a fork
  // takes many milliseconds.
  const pid_t pid = vfork();
#pragma clang diagnostic pop
  if (pid == 0) run_child(request, report_fd);
  return pid;
}

Result<void> read_report(int fd, pid_t pid) noexcept {
  Report report{};
  ssize_t n;
  do {
    n = read(fd, &report, sizeof report);
  } while (n < 0 && errno == EINTR);
  if (n == 0) return {};
  // Written by one write of a few bytes into an empty pipe: all or nothing.
  ZOKIO_CHECK(n == sizeof report, "a torn report from a child");
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  const auto step = static_cast<std::size_t>(report.step);
  return fail_errno(report.error, step < kStepNames.size() ? kStepNames[step] : "spawn");
}

}  // namespace

Result<pid_t> spawn(const SpawnRequest& request) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe2");
  Fd report_read(ends[0]);
  Fd report_write(ends[1]);
  if (report_write.get() < 3) {  // must survive the child's dup2
    Fd moved(fcntl(report_write.get(), F_DUPFD_CLOEXEC, 3));
    if (!moved) return fail_errno(errno, "fcntl");
    report_write = std::move(moved);
  }

  // No handler of this program may run in the child while it shares our memory.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = fork_and_run(request, report_write.get());
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return fail_errno(error, "fork");

  report_write.reset();
  ZOKIO_CHECKED(read_report(report_read.get(), pid));
  return pid;
}

}  // namespace zokio::os
