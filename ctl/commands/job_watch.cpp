// SPDX-License-Identifier: Apache-2.0
// zokioctl job watch: WatchJobs, one line for each change.
#include <ostream>

#include "commands/command.h"
#include "interrupt.h"
#include "job_view.h"

namespace zokioctl {
namespace {

struct Options {
  std::string id;
  std::string kind;
  uint64_t from_revision = 0;
};

void print(Context& context, const v1::WatchJobsResponse& item) {
  if (!item.has_event()) return;
  const auto& event = item.event();
  if (context.format == Format::Name) {
    context.out << event.job_id() << std::endl;
  } else if (context.format == Format::Table) {
    context.out << event.revision() << "  " << time_text(event.time()) << "  " << event.job_id()
                << "  " << event.kind() << "  "
                << (event.previous_state() == v1::JOB_STATE_UNSPECIFIED
                        ? "new"
                        : state_name(event.previous_state()))
                << " -> " << state_name(event.state());
    if (event.outcome() == v1::ATTEMPT_OUTCOME_INTERRUPTED) context.out << " (interrupted)";
    context.out << std::endl;
  } else {
    context.out << json_line(event) << std::endl;
  }
}

int run(Context& context, const Options& options) {
  Interrupt interrupt;
  v1::WatchJobsRequest request;
  request.set_job_id(options.id);
  request.set_kind(options.kind);
  request.set_start_revision(options.from_revision);
  auto call = call_for(std::chrono::nanoseconds(0));
  interrupt.guard(call.get());
  auto reader = context.client().jobs().WatchJobs(call.get(), request);
  v1::WatchJobsResponse item;
  uint64_t revision = 0;
  while (reader->Read(&item)) {
    revision = item.has_event() ? item.event().revision() : item.progress().revision();
    print(context, item);
  }
  const auto status = reader->Finish();
  interrupt.guard(nullptr);
  if (interrupt.happened()) {
    context.say("to go on: zokioctl job watch --from-revision " + std::to_string(revision + 1));
    return kExitInterrupted;
  }
  return status.ok() ? kExitOk : context.report(status);
}

}  // namespace

void add_job_watch(CLI::App& app, Context& context, Action& action) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("watch", "Every change of a state, as it happens");
  command->add_option("id", options->id, "One job only");
  command->add_option("--kind", options->kind, "One kind only")->type_name("KIND");
  command->add_option("--from-revision", options->from_revision,
                      "Begin with this one, as long as it is kept (now)");
  command->callback([&context, &action, options] {
    action = [&context, options] { return run(context, *options); };
  });
}

}  // namespace zokioctl
