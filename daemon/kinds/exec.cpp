// SPDX-License-Identifier: Apache-2.0
// exec: runs a command without a shell, in a process group of its own, with a clean environment.
//
// Told to stop, it sends TERM to the group, waits for the grace, then KILL. Whatever the command
// left behind in its group is killed when it ends. Its output goes to the log as it comes.

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>

#include "kinds/buffers.h"
#include "kinds/catalog.h"
#include "kinds/children.h"
#include "kinds/paths.h"
#include "model/limits.h"
#include "zokio/join.h"
#include "zokio/process/command.h"
#include "zokio/shield.h"
#include "zokio/spawn_blocking.h"
#include "zokio/time/sleep.h"
#include "zokio/timeout.h"

namespace zokiod::kinds {
namespace {

using model::ExecSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;

constexpr zokio::Duration kGraceDefault = std::chrono::seconds(5);
constexpr zokio::Duration kGraceMax = std::chrono::minutes(10);
// After the end of the command: for output that is still in the pipe. A process that left the group
// and kept the pipe open is not waited for longer.
constexpr zokio::Duration kOutputGrace = std::chrono::seconds(1);
constexpr size_t kReadBytes = 16 * 1024;

}  // namespace

ChildTable& ChildTable::of_process() {
  static ChildTable table;
  return table;
}

namespace {

const ExecSpec& spec_of(const model::JobSpec& spec) {
  return std::get<ExecSpec>(spec.work);
}

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

void validate(const model::JobSpec& job, Violations& out) {
  const ExecSpec& spec = spec_of(job);
  if (spec.argv.empty() || spec.argv[0].empty()) out.push_back({"spec.exec.argv", "is missing"});
  if (spec.argv.size() > model::kArgvCountMax)
    out.push_back({"spec.exec.argv", fmt::format("{} arguments, at most {}", spec.argv.size(),
                                                 model::kArgvCountMax)});
  for (size_t i = 0; i < spec.argv.size(); ++i) {
    if (spec.argv[i].size() > model::kArgBytesMax)
      out.push_back(
          {fmt::format("spec.exec.argv[{}]", i),
           fmt::format("{} bytes, at most {}", spec.argv[i].size(), model::kArgBytesMax)});
    if (has_nul(spec.argv[i]))
      out.push_back({fmt::format("spec.exec.argv[{}]", i), "has a NUL byte"});
  }
  if (!spec.cwd.empty()) check_path(spec.cwd, "spec.exec.cwd", out);
  if (spec.env.size() > model::kEnvCountMax)
    out.push_back({"spec.exec.env",
                   fmt::format("{} variables, at most {}", spec.env.size(), model::kEnvCountMax)});
  for (const auto& [name, value] : spec.env)
    if (name.empty() || name.find('=') != std::string::npos || has_nul(name) || has_nul(value))
      out.push_back({"spec.exec.env", "a name is empty, or has \"=\" or a NUL byte"});
  if (spec.grace.count() < 0 || spec.grace > kGraceMax)
    out.push_back({"spec.exec.grace", "not between 0 and 10 minutes"});
  if (spec.cpu_time_max.count() < 0 || spec.cpu_time_max.count() > model::kTimeoutMaxNs)
    out.push_back({"spec.exec.cpu_time_max", "not between 0 and one week"});
}

bool allowed(const Policy& policy) {
  return policy.exec_enabled;
}

model::Reported<> authorize(const model::JobSpec&, const Policy& policy) {
  if (policy.exec_enabled) return {};
  model::Report report =
      model::make_report(Errc::PermissionDenied, model::reason::kKindNotAllowed,
                         "kind exec is off: set policy.exec.enabled = true in the configuration");
  report.metadata["kind"] = "exec";
  return model::refuse(std::move(report));
}

// Nothing of the daemon's environment but what the policy names; then ours; then the job's.
std::vector<std::string> environment_of(const JobContext& context) {
  std::map<std::string, std::string> env;
  env["PATH"] = "/usr/local/bin:/usr/bin:/bin";
  for (const std::string& name : context.policy().env_allow)
    if (const char* value = std::getenv(name.c_str())) env[name] = value;
  for (const auto& [name, value] : spec_of(context.job().spec).env) env[name] = value;
  env["ZOKIO_JOB_ID"] = context.job().id.to_string();
  env["ZOKIO_ATTEMPT"] = std::to_string(context.job().attempt);
  std::vector<std::string> out;
  for (const auto& [name, value] : env) out.push_back(name + "=" + value);
  return out;
}

// What a process of the command may take. Never a core file: it could hold secrets.
std::vector<zokio::process::Limit> limits_of(const ExecSpec& spec) {
  std::vector<zokio::process::Limit> out = {{RLIMIT_CORE, 0}};
  const auto whole_seconds = [](zokio::Duration span) {
    return static_cast<uint64_t>(std::chrono::ceil<std::chrono::seconds>(span).count());
  };
  if (spec.cpu_time_max.count() != 0) out.push_back({RLIMIT_CPU, whole_seconds(spec.cpu_time_max)});
  if (spec.memory_max_bytes != 0) out.push_back({RLIMIT_AS, spec.memory_max_bytes});
  if (spec.file_size_max_bytes != 0) out.push_back({RLIMIT_FSIZE, spec.file_size_max_bytes});
  return out;
}

// The child and the task that reads from it own it together.
struct Process {
  zokio::process::Child child;
  std::atomic<uint64_t> output_bytes{0};
};

// Not cancelled with the job: what the command says while it ends is part of its output.
Task<Result<void>> read_output(std::shared_ptr<Process> process, JobContext* context) {
  zokio::process::PipeReader& pipe = process->child.standard_output();
  ZOKIO_CO_TRY(zokio::mem::Buffer buffer, co_await lease_patiently(kReadBytes));
  while (true) {
    zokio::IoResult got = co_await pipe.read(std::move(buffer));
    ZOKIO_CO_TRY(const size_t n, std::move(got.n));
    if (n == 0) co_return Result<void>();
    process->output_bytes.fetch_add(n, std::memory_order_relaxed);
    context->write_log(zokio::as_text(got.buffer.bytes()));
    buffer = std::move(got.buffer);
  }
}

Task<Result<void>> exited(Process* process) {
  co_return co_await process->child.exited();
}

// TERM, the grace, KILL. Returns when the process has ended.
Task<Result<void>> stop(Process& process, zokio::Duration grace) {
  static_cast<void>(process.child.kill_group(SIGTERM));
  Result<void> ended = co_await zokio::with_timeout(exited(&process), grace);
  if (ended) co_return ended;
  static_cast<void>(process.child.kill_group(SIGKILL));
  co_return co_await process.child.exited();
}

// Joins the reader, but does not wait for a pipe that a stranger keeps open.
Task<void> finish_reader(zokio::JoinHandle<Result<void>> reader) {
  const zokio::Instant deadline = zokio::Instant::now() + kOutputGrace;
  // A short poll with a bound: it normally ended already.
  while (!reader.finished() && zokio::Instant::now() < deadline)
    static_cast<void>(co_await zokio::sleep(std::chrono::milliseconds(1)));
  reader.cancel();
  static_cast<void>(co_await reader);
}

Finished finished(const zokio::process::ExitStatus& status, uint64_t output_bytes) {
  Finished out;
  out.result = model::ExecResult{status.signaled ? 128 + status.signal : status.code,
                                 status.signaled ? status.signal : 0, output_bytes};
  if (!status.success())
    out.error = {Errc::Aborted, status.signaled ? "SIGNAL" : "EXIT_CODE", status.to_string()};
  return out;
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const ExecSpec& spec = spec_of(context.job().spec);
  zokio::process::Command command;
  command.arguments = spec.argv;
  command.environment = environment_of(context);
  command.working_directory = spec.cwd.empty() ? "/" : spec.cwd;
  command.limits = limits_of(spec);
  if (spec.open_files_max != 0) command.max_fds = spec.open_files_max;
  // The log of an attempt is one text, so what the command writes keeps its order.
  command.standard_error = zokio::process::Output::Merged;
  Result<zokio::process::Child> spawned = co_await zokio::blocking([&command] {
    return ChildTable::of_process().start([&command] { return command.spawn(); });
  });
  if (!spawned) {
    const std::string_view where = spawned.error().where;
    co_return path_error(spawned.error(), "start",
                         where == "chdir" ? command.working_directory : spec.argv[0]);
  }
  auto process = std::make_shared<Process>();
  process->child = *std::move(spawned);
  auto output = zokio::spawn(&read_output, process, &context);

  Result<void> ended = co_await process->child.exited();
  const bool told = !ended && ended.error().code == Errc::Cancelled;
  zokio::Shield shield;  // from here to the end nothing may be left half done
  if (told) ended = co_await stop(*process, spec.grace.count() ? spec.grace : kGraceDefault);
  // While it is a zombie its number still names its group: what it started and left goes now.
  static_cast<void>(process->child.kill_group(SIGKILL));
  Result<zokio::process::ExitStatus> status = process->child.reap();
  ChildTable::of_process().forget(process->child.pid());
  co_await finish_reader(std::move(output));
  if (told) co_return path_error(zokio::Error(Errc::Cancelled, "exec"), "run", spec.argv[0]);
  if (!ended) co_return path_error(ended.error(), "wait for", spec.argv[0]);
  if (!status) co_return path_error(status.error(), "wait for", spec.argv[0]);
  co_return finished(*status, process->output_bytes.load(std::memory_order_relaxed));
}

}  // namespace

const KindInfo kExec = {.name = ExecSpec::kKind,
                        .summary = "runs a command without a shell, and keeps its output",
                        .allowed = allowed,
                        .validate = validate,
                        .authorize = authorize,
                        .run = run};

}  // namespace zokiod::kinds
