// SPDX-License-Identifier: Apache-2.0
// zokioctl job wait: WaitJob for each id, in order.
#include <ostream>

#include "commands/command.h"
#include "commands/submit.h"
#include "interrupt.h"
#include "job_view.h"

namespace zokioctl {
namespace {

struct Options {
  std::vector<std::string> ids;
  std::chrono::nanoseconds timeout{};
};

void print(Context& context, const v1::Job& job) {
  if (context.format == Format::Name)
    context.out << job.id() << '\n';
  else if (context.format == Format::Table)
    context.out << job.id() << "  " << state_name(job.state()) << "  " << result_text(job) << '\n';
  else
    print_json(context, job);
  context.out.flush();
}

}  // namespace

int wait_for_jobs(Context& context, Interrupt& interrupt, const std::vector<std::string>& ids,
                  std::chrono::nanoseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  int code = kExitOk;
  for (size_t i = 0; i < ids.size(); ++i) {
    v1::WaitJobRequest request;
    request.set_id(ids[i]);
    if (timeout.count() > 0) {
      const auto left = std::max<std::chrono::nanoseconds>(
          deadline - std::chrono::steady_clock::now(), std::chrono::milliseconds(1));
      request.mutable_timeout()->set_seconds(left.count() / 1'000'000'000);
      request.mutable_timeout()->set_nanos(static_cast<int32_t>(left.count() % 1'000'000'000));
    }
    v1::WaitJobResponse response;
    auto call = call_for(std::chrono::nanoseconds(0));
    interrupt.guard(call.get());
    const auto status = context.client().jobs().WaitJob(call.get(), request, &response);
    interrupt.guard(nullptr);
    if (interrupt.happened()) {
      std::string again;
      for (size_t j = i; j < ids.size(); ++j) again += " " + ids[j];
      context.say("detached; the job goes on. To wait again: zokioctl job wait" + again);
      return kExitInterrupted;
    }
    if (!status.ok()) return context.report(status);
    print(context, response.job());
    if (code == kExitOk) code = job_exit_code(response.job());
  }
  return code;
}

void add_job_wait(CLI::App& app, Context& context, Action& action) {
  auto options = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("wait", "Until jobs are finished; exits with 1 when one did not succeed");
  command->add_option("id", options->ids, "Id of a job")->required();
  add_duration(*command, "--timeout", options->timeout,
               "Give up after this and exit with 7 (never)");
  command->callback([&context, &action, options] {
    action = [&context, options] {
      Interrupt interrupt;
      return wait_for_jobs(context, interrupt, options->ids, options->timeout);
    };
  });
}

}  // namespace zokioctl
