// SPDX-License-Identifier: Apache-2.0
// zokioctl job cancel: CancelJob for each id.
#include <ostream>

#include "commands/command.h"
#include "job_view.h"

namespace zokioctl {
namespace {

void print(Context& context, const v1::Job& job) {
  if (context.format == Format::Name) {
    context.out << job.id() << '\n';
  } else if (context.format != Format::Table) {
    print_json(context, job);
  } else if (job.state() == v1::JOB_STATE_CANCELLED) {
    context.out << job.id() << " cancelled\n";
  } else if (finished(job.state())) {
    context.out << job.id() << " had finished already: " << state_name(job.state()) << '\n';
  } else {
    context.out << job.id() << " is being cancelled\n";
  }
}

int run(Context& context, const std::vector<std::string>& ids) {
  int code = kExitOk;
  for (const auto& id : ids) {
    v1::CancelJobRequest request;
    request.set_id(id);
    v1::CancelJobResponse response;
    auto call = call_for(context.timeout);
    const auto status = context.client().jobs().CancelJob(call.get(), request, &response);
    if (status.ok())
      print(context, response.job());
    else
      code = context.report(status);
  }
  return code;
}

}  // namespace

void add_job_cancel(CLI::App& app, Context& context, Action& action) {
  auto ids = std::make_shared<std::vector<std::string>>();
  auto* command =
      app.add_subcommand("cancel", "Stop jobs; a running one ends by itself soon after");
  command->add_option("id", *ids, "Id of a job")->required();
  command->callback(
      [&context, &action, ids] { action = [&context, ids] { return run(context, *ids); }; });
}

}  // namespace zokioctl
