// SPDX-License-Identifier: Apache-2.0
// zokioctl job get: GetJob for each id.
#include <ostream>

#include "commands/command.h"
#include "job_view.h"

namespace zokioctl {
namespace {

int run(Context& context, const std::vector<std::string>& ids) {
  int code = kExitOk;
  bool first = true;
  for (const auto& id : ids) {
    v1::GetJobRequest request;
    request.set_id(id);
    v1::GetJobResponse response;
    auto call = call_for(context.timeout);
    const auto status = context.client().jobs().GetJob(call.get(), request, &response);
    if (!status.ok()) {
      code = context.report(status);
      continue;
    }
    if (context.format == Format::Name) {
      context.out << response.job().id() << '\n';
    } else if (context.format == Format::Table) {
      if (!first) context.out << '\n';
      print_job(context.out, response.job());
    } else {
      print_json(context, response.job());
    }
    first = false;
  }
  return code;
}

}  // namespace

void add_job_get(CLI::App& app, Context& context, Action& action) {
  auto ids = std::make_shared<std::vector<std::string>>();
  auto* command = app.add_subcommand("get", "Everything about a job");
  command->add_option("id", *ids, "Id of a job")->required();
  command->callback(
      [&context, &action, ids] { action = [&context, ids] { return run(context, *ids); }; });
}

}  // namespace zokioctl
