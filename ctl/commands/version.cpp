// SPDX-License-Identifier: Apache-2.0
// zokioctl version: ours, and GetServerInfo.
#include <ostream>

#include "cli.h"
#include "commands/command.h"

namespace zokioctl {
namespace {

int run(Context& context, bool client_only) {
  v1::GetServerInfoResponse server;
  if (!client_only) {
    auto call = call_for(context.timeout);
    const auto status = context.client().admin().GetServerInfo(call.get(), {}, &server);
    if (!status.ok()) return context.report(status);
  }
  if (context.format == Format::Json || context.format == Format::Jsonl) {
    context.out << "{\"client\":{\"version\":\"" << kVersion << "\"}";
    if (!client_only) context.out << ",\"server\":" << json_line(server);
    context.out << "}\n";
    return kExitOk;
  }
  context.out << "zokioctl " << kVersion << '\n';
  if (client_only) return kExitOk;
  context.out << "zokiod   " << server.version();
  if (!server.revision().empty()) context.out << " (" << server.revision() << ")";
  context.out << ", " << server.compiler() << ", " << server.backend() << '\n';
  std::string kinds;
  for (const auto& kind : server.kinds())
    kinds += (kinds.empty() ? "" : ", ") + kind.name() + (kind.allowed() ? "" : " (not allowed)");
  context.out << "kinds    " << kinds << '\n';
  return kExitOk;
}

}  // namespace

void add_version(CLI::App& app, Context& context, Action& action) {
  auto client = std::make_shared<bool>(false);
  auto* command = app.add_subcommand("version", "Versions of zokioctl and zokiod");
  command->add_flag("--client", *client, "Only zokioctl");
  command->callback([&context, &action, client] {
    action = [&context, client] { return run(context, *client); };
  });
}

}  // namespace zokioctl
