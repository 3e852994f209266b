// SPDX-License-Identifier: Apache-2.0
// zokioctl admin: what only an operator does.
#include <ostream>

#include "commands/command.h"
#include "units.h"

namespace zokioctl {
namespace {

// A large store takes longer than a call usually may.
constexpr auto kBackupMax = std::chrono::minutes(30);

int backup(Context& context, const std::string& name) {
  v1::BackupRequest request;
  request.set_name(name);
  v1::BackupResponse response;
  auto call = call_for(kBackupMax);
  const auto status = context.client().admin().Backup(call.get(), request, &response);
  if (!status.ok()) return context.report(status);
  if (context.format == Format::Name)
    context.out << response.path() << '\n';
  else if (context.format != Format::Table)
    print_json(context, response);
  else
    context.out << response.path() << ": " << response.jobs() << " jobs, "
                << format_bytes(response.size_bytes()) << '\n';
  return kExitOk;
}

}  // namespace

void add_admin(CLI::App& app, Context& context, Action& action) {
  auto* command = app.add_subcommand("admin", "What only an operator does: back up the store");
  command->require_subcommand(1);
  auto name = std::make_shared<std::string>();
  auto* sub = command->add_subcommand(
      "backup",
      "Copy the store while it is in use\n\n"
      "The copy is checked, and appears below STATE_DIR/backups. To restore it, stop zokiod\n"
      "and put it in the place of STATE_DIR/zokio.db, without zokio.db-wal and -shm.");
  sub->add_option("name", *name, "Name of the file (zokio-TIME.db)");
  sub->callback(
      [&context, &action, name] { action = [&context, name] { return backup(context, *name); }; });
}

}  // namespace zokioctl
