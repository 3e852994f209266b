// SPDX-License-Identifier: Apache-2.0
// zokioctl job logs: ReadJobLog; and the follower that run uses.
#include "commands/logs.h"

#include <ostream>

#include "commands/command.h"

namespace zokioctl {
namespace {

struct Options {
  std::string id;
  uint32_t attempt = 0;
  bool follow = false;
};

void print(Context& context, const v1::ReadJobLogResponse& chunk) {
  if (context.format == Format::Json || context.format == Format::Jsonl) {
    context.out << json_line(chunk) << std::endl;
    return;
  }
  if (chunk.dropped_bytes() > 0)
    context.say("(" + std::to_string(chunk.dropped_bytes()) + " bytes are no longer kept)");
  context.out << chunk.data() << std::flush;
}

int run(Context& context, const Options& options) {
  Interrupt interrupt;
  uint32_t attempt = options.attempt;
  const auto status = copy_log(context, interrupt, options.id, options.follow, attempt);
  if (interrupt.happened()) {
    context.say("detached; the job goes on. To follow again: zokioctl job logs -f " + options.id);
    return kExitInterrupted;
  }
  return status.ok() ? kExitOk : context.report(status);
}

}  // namespace

grpc::Status copy_log(Context& context, Interrupt& interrupt, const std::string& id, bool follow,
                      uint32_t& attempt) {
  v1::ReadJobLogRequest request;
  request.set_id(id);
  request.set_attempt(attempt);
  request.set_follow(follow);
  auto call = call_for(follow ? std::chrono::nanoseconds(0) : context.timeout);
  interrupt.guard(call.get());
  auto reader = context.client().jobs().ReadJobLog(call.get(), request);
  v1::ReadJobLogResponse chunk;
  while (reader->Read(&chunk)) {
    attempt = chunk.attempt();
    print(context, chunk);
  }
  const auto status = reader->Finish();
  interrupt.guard(nullptr);
  return status;
}

void add_job_logs(CLI::App& app, Context& context, Action& action) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("logs", "The captured output of a job");
  command->add_option("id", options->id, "Id of a job")->required();
  command->add_flag("-f,--follow", options->follow, "Until the attempt ends");
  command->add_option("--attempt", options->attempt, "Which one, from 1 (the latest)");
  command->callback([&context, &action, options] {
    action = [&context, options] { return run(context, *options); };
  });
}

}  // namespace zokioctl
