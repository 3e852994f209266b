// SPDX-License-Identifier: Apache-2.0
// zokioctl job: the commands about jobs that are there; one file for each.
#include "commands/command.h"

namespace zokioctl {

void add_job(CLI::App& app, Context& context, Action& action) {
  auto* command =
      app.add_subcommand("job", "Look at jobs, wait for them, cancel them, try them again");
  command->require_subcommand(1);
  for (AddCommand add : {add_job_list, add_job_get, add_job_wait, add_job_watch, add_job_cancel,
                         add_job_requeue, add_job_logs})
    add(*command, context, action);
}

}  // namespace zokioctl
