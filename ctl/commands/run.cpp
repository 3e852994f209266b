// SPDX-License-Identifier: Apache-2.0
// zokioctl run: SubmitJob, ReadJobLog and WaitJob in one; exits with the job's own code.
#include <ostream>
#include <thread>

#include "commands/command.h"
#include "commands/logs.h"
#include "commands/submit.h"
#include "interrupt.h"
#include "job_view.h"
#include "spec_args.h"

namespace zokioctl {
namespace {

struct Options {
  std::string kind;
  std::vector<std::string> words;
  SubmitFlags flags;
};

// A code that says nothing about the job: 125, whatever went wrong.
int failed(Context& context, const grpc::Status& status) {
  context.report(status);
  return kExitRunFailed;
}

int detach(Context& context, const std::string& id) {
  context.say("detached; the job goes on. To re-attach: zokioctl job logs -f " + id +
              "; to stop it: zokioctl job cancel " + id);
  return kExitInterrupted;
}

int finish(Context& context, const v1::Job& job) {
  if (context.format == Format::Json || context.format == Format::Jsonl) {
    print_json(context, job);
  } else if (job.spec().kind() != "exec" || job.state() != v1::JOB_STATE_SUCCEEDED) {
    const std::string line = job.id() + " " + state_name(job.state()) + ": " + result_text(job);
    // The result of other kinds is data; what became of a command is not.
    if (job.spec().kind() != "exec" && job.state() == v1::JOB_STATE_SUCCEEDED)
      context.out << result_text(job) << '\n';
    else
      context.say(line);
  }
  if (job.result().has_exec() && job.state() != v1::JOB_STATE_CANCELLED &&
      job.state() != v1::JOB_STATE_TIMED_OUT)
    return job.result().exec().exit_code();
  if (job.state() == v1::JOB_STATE_TIMED_OUT) return kExitTimedOut;
  // A command that could not be started is a failure of ours.
  if (job.state() == v1::JOB_STATE_FAILED && job.spec().kind() == "exec") return kExitRunFailed;
  return job_exit_code(job);
}

// Waits a moment for the end of the job, or for its next attempt to begin.
grpc::Status settle(Context& context, Interrupt& interrupt, v1::Job& job) {
  v1::WaitJobRequest request;
  request.set_id(job.id());
  request.mutable_timeout()->set_nanos(200'000'000);
  v1::WaitJobResponse waited;
  auto call = call_for(std::chrono::nanoseconds(0));
  interrupt.guard(call.get());
  auto status = context.client().jobs().WaitJob(call.get(), request, &waited);
  interrupt.guard(nullptr);
  if (status.ok()) {
    job = waited.job();
    return status;
  }
  if (status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED) return status;
  v1::GetJobRequest get;
  get.set_id(job.id());
  v1::GetJobResponse got;
  auto again = call_for(context.timeout);
  status = context.client().jobs().GetJob(again.get(), get, &got);
  if (status.ok()) job = got.job();
  return status;
}

int follow(Context& context, Interrupt& interrupt, v1::Job job) {
  uint32_t read = 0;
  // Ends with the job; each turn waits.
  while (true) {
    const auto waited = settle(context, interrupt, job);
    if (interrupt.happened()) return detach(context, job.id());
    if (!waited.ok()) return failed(context, waited);
    if (job.attempt() > read) {
      read = job.attempt();
      const auto copied = copy_log(context, interrupt, job.id(), true, read);
      if (interrupt.happened()) return detach(context, job.id());
      if (!copied.ok()) return failed(context, copied);
      read = std::max(read, job.attempt());
      continue;
    }
    if (finished(job.state())) return finish(context, job);
  }
}

int run(Context& context, const Options& options) {
  v1::SubmitJobRequest request;
  if (auto made = make_request(request, options.kind, options.words, context.rest, options.flags);
      !made) {
    context.report(std::move(made.error()));
    return kExitRunFailed;
  }
  Interrupt interrupt;
  v1::SubmitJobResponse response;
  auto call = call_for(context.timeout);
  const auto status = context.client().jobs().SubmitJob(call.get(), request, &response);
  if (!status.ok()) return failed(context, status);
  return follow(context, interrupt, response.job());
}

}  // namespace

void add_run(CLI::App& app, Context& context, Action& action) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "run",
      "Submit a job, show its output, and exit with its exit code (125: zokio failed)\n"
      "\n"
      "  run exec -- make -j4              Ctrl-C detaches, the job goes on\n"
      "  run file.checksum /srv/data       any kind of submit");
  command->add_option("kind", options->kind, "exec, file.checksum, ...")->required();
  command->add_option("words", options->words, "As of submit");
  add_submit_flags(*command, options->flags);
  command->callback([&context, &action, options] {
    action = [&context, options] { return run(context, *options); };
  });
}

}  // namespace zokioctl
