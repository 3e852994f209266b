// SPDX-License-Identifier: Apache-2.0
// zokioctl drain: Drain.
#include <ostream>

#include "commands/command.h"
#include "interrupt.h"

namespace zokioctl {
namespace {

struct Options {
  std::chrono::nanoseconds deadline = std::chrono::seconds(30);
  std::string reason;
  bool wait = false;
};

// After the deadline: interrupting jobs and recording it takes a moment.
constexpr std::chrono::nanoseconds kMargin = std::chrono::seconds(30);

int run(Context& context, const Options& options) {
  Interrupt interrupt;
  v1::DrainRequest request;
  request.mutable_deadline()->set_seconds(options.deadline.count() / 1'000'000'000);
  request.mutable_deadline()->set_nanos(
      static_cast<int32_t>(options.deadline.count() % 1'000'000'000));
  request.set_reason(options.reason);
  request.set_wait(options.wait);
  v1::DrainResponse response;
  auto call = call_for(options.wait ? options.deadline + kMargin : context.timeout);
  interrupt.guard(call.get());
  const auto status = context.client().admin().Drain(call.get(), request, &response);
  interrupt.guard(nullptr);
  if (interrupt.happened()) {
    context.say("detached; zokiod goes on draining. To wait again: zokioctl drain --wait");
    return kExitInterrupted;
  }
  if (!status.ok()) return context.report(status);
  if (context.format == Format::Json || context.format == Format::Jsonl)
    print_json(context, response);
  else
    context.out << response.state() << ": " << response.running() << " running, "
                << response.queued() << " kept for the next start, " << response.finished()
                << " finished, " << response.interrupted() << " interrupted\n";
  return kExitOk;
}

}  // namespace

void add_drain(CLI::App& app, Context& context, Action& action) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "drain", "Take no more jobs and let those that run end; queued ones stay for the next start");
  add_duration(*command, "--deadline", options->deadline,
               "What still runs after this is interrupted and queued again (30s)");
  command->add_flag("--wait", options->wait, "Until nothing runs");
  command->add_option("--reason", options->reason, "For the log and for clients");
  command->callback([&context, &action, options] {
    action = [&context, options] { return run(context, *options); };
  });
}

}  // namespace zokioctl
