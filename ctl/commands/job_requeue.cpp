// SPDX-License-Identifier: Apache-2.0
// zokioctl job requeue: RequeueJob for each id.
#include <ostream>

#include "commands/command.h"
#include "job_view.h"

namespace zokioctl {
namespace {

int run(Context& context, const std::vector<std::string>& ids) {
  int code = kExitOk;
  for (const auto& id : ids) {
    v1::RequeueJobRequest request;
    request.set_id(id);
    v1::RequeueJobResponse response;
    auto call = call_for(context.timeout);
    const auto status = context.client().jobs().RequeueJob(call.get(), request, &response);
    if (!status.ok())
      code = context.report(status);
    else if (context.format == Format::Json || context.format == Format::Jsonl)
      print_json(context, response.job());
    else
      context.out << id << (context.format == Format::Name ? "\n" : " is queued again\n");
  }
  return code;
}

}  // namespace

void add_job_requeue(CLI::App& app, Context& context, Action& action) {
  auto ids = std::make_shared<std::vector<std::string>>();
  auto* command = app.add_subcommand(
      "requeue",
      "Try jobs again that failed, timed out or were cancelled; or queue waiting ones now");
  command->add_option("id", *ids, "Id of a job")->required();
  command->callback(
      [&context, &action, ids] { action = [&context, ids] { return run(context, *ids); }; });
}

}  // namespace zokioctl
