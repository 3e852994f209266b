// SPDX-License-Identifier: Apache-2.0
// zokioctl job list: ListJobs, page by page.
#include <ostream>

#include "commands/command.h"
#include "job_view.h"
#include "spec_args.h"

namespace zokioctl {
namespace {

struct Options {
  std::vector<std::string> states;
  std::string kind;
  std::string queue;
  std::vector<std::string> labels;
  uint32_t limit = 50;
};

constexpr uint32_t kPageMax = 1000;

std::expected<v1::ListJobsRequest, Failure> request_of(const Options& options) {
  v1::ListJobsRequest out;
  for (const auto& name : options.states) {
    const auto state = parse_state(name);
    if (!state)
      return std::unexpected(
          usage("--state " + name + ": no such state",
                "waiting queued running retrying succeeded failed cancelled timed_out"));
    out.add_states(*state);
  }
  v1::JobSpec labels;
  if (auto done = read_labels(labels, options.labels); !done) return std::unexpected(done.error());
  *out.mutable_labels() = labels.labels();
  out.set_kind(options.kind);
  out.set_queue(options.queue);
  return out;
}

void print(Context& context, const v1::ListJobsResponse& all) {
  switch (context.format) {
    case Format::Json:
      context.out << json_document(all);
      break;
    case Format::Jsonl:
      for (const auto& job : all.jobs()) context.out << json_line(job) << '\n';
      break;
    case Format::Name:
      for (const auto& job : all.jobs()) context.out << job.id() << '\n';
      break;
    case Format::Table: {
      Table table(job_header());
      for (const auto& job : all.jobs()) table.add(job_row(job));
      if (table.empty())
        context.say("no jobs");
      else
        table.print(context.out, context.color_out);
      break;
    }
  }
}

int run(Context& context, const Options& options) {
  auto request = request_of(options);
  if (!request) return context.report(std::move(request.error()));
  v1::ListJobsResponse all;
  // Ends at the limit or at the last page.
  while (static_cast<uint32_t>(all.jobs_size()) < options.limit) {
    const uint32_t missing = options.limit - static_cast<uint32_t>(all.jobs_size());
    request->set_page_size(static_cast<int32_t>(std::min(missing, kPageMax)));
    v1::ListJobsResponse page;
    auto call = call_for(context.timeout);
    const auto status = context.client().jobs().ListJobs(call.get(), *request, &page);
    if (!status.ok()) return context.report(status);
    if (all.revision() == 0) all.set_revision(page.revision());
    for (auto& job : *page.mutable_jobs()) *all.add_jobs() = std::move(job);
    all.set_next_page_token(page.next_page_token());
    if (page.next_page_token().empty()) break;
    request->set_page_token(page.next_page_token());
  }
  print(context, all);
  if (!all.next_page_token().empty() && context.format == Format::Table)
    context.say("there are more; --limit " + std::to_string(options.limit * 10) + " shows them");
  return kExitOk;
}

}  // namespace

void add_job_list(CLI::App& app, Context& context, Action& action) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("list", "Jobs, newest first");
  command
      ->add_option("--state", options->states,
                   "waiting, queued, running, retrying, succeeded, failed, cancelled, timed_out; "
                   "can be repeated")
      ->type_name("STATE")
      ->allow_extra_args(false);
  command->add_option("--kind", options->kind, "One kind only")->type_name("KIND");
  command->add_option("--queue", options->queue, "One queue only")->type_name("NAME");
  command->add_option("-l,--label", options->labels, "Jobs that have it; can be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command->add_option("--limit", options->limit, "At most so many")
      ->check(CLI::Range(1u, 1'000'000u).description(""))
      ->capture_default_str();
  command->callback([&context, &action, options] {
    action = [&context, options] { return run(context, *options); };
  });
}

}  // namespace zokioctl
