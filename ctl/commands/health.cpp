// SPDX-License-Identifier: Apache-2.0
// zokioctl health: the standard health protocol.
#include <ostream>

#include "commands/command.h"

namespace zokioctl {
namespace {

struct Options {
  bool live = false;
  bool ready = false;
};

// 0 serving, 1 not serving.
int check(Context& context, const char* name, const std::string& service) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  auto call = call_for(context.timeout);
  const auto status = context.client().health().Check(call.get(), request, &response);
  if (!status.ok()) return context.report(status);
  const bool serving = response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
  if (context.format == Format::Table || context.format == Format::Name)
    context.out << name << ": " << (serving ? "yes" : "no") << '\n';
  else
    context.out << "{\"check\":\"" << name << "\",\"ok\":" << (serving ? "true" : "false") << "}\n";
  return serving ? kExitOk : kExitFailed;
}

int run(Context& context, const Options& options) {
  int code = kExitOk;
  if (options.live || !options.ready) code = check(context, "live", "zokio.live");
  if (code == kExitOk && (options.ready || !options.live)) code = check(context, "ready", "");
  return code;
}

}  // namespace

void add_health(CLI::App& app, Context& context, Action& action) {
  auto options = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("health", "Is zokiod alive, and does it take jobs? Exits with 0 or 1");
  command->add_flag("--live", options->live, "Only whether the process works");
  command->add_flag("--ready", options->ready, "Only whether it takes jobs");
  command->callback([&context, &action, options] {
    action = [&context, options] { return run(context, *options); };
  });
}

}  // namespace zokioctl
