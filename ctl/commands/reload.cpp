// SPDX-License-Identifier: Apache-2.0
// zokioctl reload: ReloadConfig.
#include <ostream>

#include "commands/command.h"

namespace zokioctl {
namespace {

int run(Context& context, bool dry_run) {
  v1::ReloadConfigRequest request;
  request.set_validate_only(dry_run);
  v1::ReloadConfigResponse response;
  auto call = call_for(context.timeout);
  const auto status = context.client().admin().ReloadConfig(call.get(), request, &response);
  if (!status.ok()) return context.report(status);
  if (context.format == Format::Json || context.format == Format::Jsonl) {
    print_json(context, response);
    return kExitOk;
  }
  if (response.changes().empty()) context.say("nothing has changed");
  for (const auto& change : response.changes())
    context.out << change.key() << " " << change.from() << " -> " << change.to() << '\n';
  if (dry_run && !response.changes().empty()) context.say("valid; nothing was applied");
  return kExitOk;
}

}  // namespace

void add_reload(CLI::App& app, Context& context, Action& action) {
  auto dry_run = std::make_shared<bool>(false);
  auto* command = app.add_subcommand("reload", "Read zokiod's configuration file again");
  command->add_flag("--dry-run", *dry_run, "Check it, change nothing");
  command->callback([&context, &action, dry_run] {
    action = [&context, dry_run] { return run(context, *dry_run); };
  });
}

}  // namespace zokioctl
