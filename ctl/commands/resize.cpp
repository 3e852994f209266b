// SPDX-License-Identifier: Apache-2.0
// zokioctl resize: GetRuntime for the etag, then UpdateRuntime with it.
#include <ostream>

#include "commands/command.h"
#include "spec_args.h"
#include "units.h"

namespace zokioctl {
namespace {

// A worker retires when it has finished its poll, so a resize may take as long as a task.
constexpr std::chrono::nanoseconds kResizeDefault = std::chrono::seconds(60);

struct Options {
  std::vector<std::string> words;
  std::chrono::nanoseconds timeout = kResizeDefault;
  uint64_t if_generation = 0;
  bool dry_run = false;
  bool force = false;
};

std::string size_text(const v1::RuntimeChange& change, uint64_t value) {
  if (!change.component().starts_with("pool.")) return std::to_string(value);
  return value == 0 ? "none" : format_bytes(value);
}

void print_changes(Context& context, const v1::UpdateRuntimeResponse& response, bool dry_run) {
  std::string line;
  for (const auto& change : response.changes())
    line += (line.empty() ? "" : ", ") + change.component() + " " +
            size_text(change, change.from()) + " -> " + size_text(change, change.to());
  if (line.empty()) line = "nothing to change";
  const uint64_t generation = response.runtime().generation();
  line += dry_run ? ", valid, nothing changed (generation " + std::to_string(generation) + ")"
                  : ", generation " + std::to_string(generation);
  context.out << line << '\n';
  for (const auto& change : response.changes()) {
    if (change.moved_tasks() + change.moved_timers() + change.reissued_operations() > 0)
      context.say(change.component() + ": moved " + std::to_string(change.moved_tasks()) +
                  " tasks, " + std::to_string(change.moved_timers()) + " timers, " +
                  std::to_string(change.reissued_operations()) + " operations");
    if (change.residual_bytes() > 0)
      context.say(change.component() + ": still " + format_bytes(change.residual_bytes()) +
                  " above the limit; converges as blocks are freed");
  }
}

int run(Context& context, const Options& options) {
  v1::UpdateRuntimeRequest request;
  if (auto done = read_resize(request, options.words); !done)
    return context.report(std::move(done.error()));
  v1::GetRuntimeResponse current;
  auto call = call_for(context.timeout);
  auto status = context.client().runtime().GetRuntime(call.get(), {}, &current);
  if (!status.ok()) return context.report(status);
  if (options.if_generation != 0 && current.runtime().generation() != options.if_generation) {
    Failure failure;
    failure.exit_code = kExitConflict;
    failure.reason = "RUNTIME_CHANGED";
    failure.message = "the runtime is at generation " +
                      std::to_string(current.runtime().generation()) + ", not " +
                      std::to_string(options.if_generation);
    failure.hint = "zokioctl status";
    return context.report(std::move(failure));
  }
  request.set_etag(current.runtime().etag());
  request.set_validate_only(options.dry_run);
  request.set_force(options.force);
  v1::UpdateRuntimeResponse response;
  call = call_for(options.timeout);
  status = context.client().runtime().UpdateRuntime(call.get(), request, &response);
  if (!status.ok()) return context.report(status);
  if (context.format == Format::Table)
    print_changes(context, response, options.dry_run);
  else if (context.format == Format::Name)
    context.out << response.runtime().generation() << '\n';
  else
    print_json(context, response.runtime());
  return kExitOk;
}

}  // namespace

void add_resize(CLI::App& app, Context& context, Action& action) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "resize",
      "Change workers, reactors, rings and pool limits while jobs run; all of it or nothing\n"
      "\n"
      "  resize workers=8 reactors=2\n"
      "  resize rings=1024 receive_buffers=512\n"
      "  resize pool.frames=64Mi pool.buffers=128Mi pool.total=1Gi     none: no limit");
  command
      ->add_option("what", options->words,
                   "workers=N reactors=N rings=N receive_buffers=N pool.NAME=SIZE")
      ->required();
  command->add_flag("--dry-run", options->dry_run, "Check it, change nothing");
  command->add_flag("--force", options->force,
                    "A pool limit below the bytes in use, too; it converges as blocks are freed");
  command->add_option("--if-generation", options->if_generation,
                      "Only if the runtime is at this generation");
  add_duration(*command, "--timeout", options->timeout, "Wait at most this long for it (60s)");
  command->callback([&context, &action, options] {
    action = [&context, options] { return run(context, *options); };
  });
}

}  // namespace zokioctl
