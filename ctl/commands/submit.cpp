// SPDX-License-Identifier: Apache-2.0
// zokioctl submit: SubmitJob for one job, or for each line of a file.
#include <condition_variable>
#include <deque>
#include <fstream>
#include <iostream>
#include <mutex>
#include <optional>

#include "commands/command.h"
#include "commands/submit.h"
#include "interrupt.h"
#include "job_view.h"
#include "spec_args.h"

namespace zokioctl {
namespace {

// Submits of a batch that are under way at a time: enough for the group commit, few for the server.
constexpr size_t kBatchWindow = 64;

struct Options {
  std::string kind;
  std::vector<std::string> words;
  std::string file;
  SubmitFlags flags;
  bool wait = false;
  bool dry_run = false;
};

void print_submitted(Context& context, const v1::SubmitJobResponse& response, bool dry_run) {
  const auto& job = response.job();
  switch (context.format) {
    case Format::Json:
    case Format::Jsonl:
      print_json(context, job);
      break;
    case Format::Name:
      if (!dry_run) context.out << job.id() << '\n';
      break;
    case Format::Table:
      if (dry_run)
        context.out << "valid: " << job.spec().kind() << ", nothing submitted\n";
      else
        context.out << job.id() << '\n';
      break;
  }
  if (response.duplicate())
    context.say("request id was used before: this is the earlier job, " + state_name(job.state()));
}

// One submit of a batch, from sent to printed.
struct Pending {
  size_t line = 0;
  std::unique_ptr<grpc::ClientContext> call;
  v1::SubmitJobRequest request;
  v1::SubmitJobResponse response;
  grpc::Status status;
  bool done = false;  // guarded by Batch::mutex
};

class Batch {
 public:
  Batch(Context& context, const Options& options) : context_(context), options_(options) {}

  int run(std::istream& input) {
    std::string text;
    for (size_t number = 1; std::getline(input, text); ++number) {
      if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
      if (!send(number, text)) continue;
      if (pending_.size() >= kBatchWindow) print_oldest();
    }
    while (!pending_.empty()) print_oldest();
    context_.say(std::to_string(submitted_) + " submitted, " + std::to_string(failed_) + " failed");
    return exit_code_;
  }

 private:
  bool send(size_t number, const std::string& text) {
    auto line = read_batch_line(text);
    if (!line) {
      fail(number, std::move(line.error()));
      return false;
    }
    Pending& one = pending_.emplace_back();
    one.line = number;
    one.call = call_for(context_.timeout);
    *one.request.mutable_spec() = std::move(line->spec);
    one.request.set_request_id(line->request_id);
    one.request.set_validate_only(options_.dry_run);
    context_.client().jobs().async()->SubmitJob(one.call.get(), &one.request, &one.response,
                                                [this, &one](grpc::Status status) {
                                                  std::scoped_lock lock(mutex_);
                                                  one.status = std::move(status);
                                                  one.done = true;
                                                  changed_.notify_one();
                                                });
    return true;
  }

  // In order, so that results stand beside their lines.
  void print_oldest() {
    Pending& one = pending_.front();
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&one] { return one.done; });
    }
    if (one.status.ok()) {
      ++submitted_;
      if (context_.format == Format::Json)
        context_.out << json_line(one.response.job()) << '\n';
      else
        print_submitted(context_, one.response, options_.dry_run);
    } else {
      fail(one.line, failure_of(one.status));
    }
    pending_.pop_front();
  }

  void fail(size_t number, Failure failure) {
    ++failed_;
    failure.message = "line " + std::to_string(number) + ": " + failure.message;
    const int code = context_.report(std::move(failure));
    if (exit_code_ == kExitOk) exit_code_ = code;
  }

  Context& context_;
  const Options& options_;
  std::deque<Pending> pending_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t submitted_ = 0;
  size_t failed_ = 0;
  int exit_code_ = kExitOk;  // of the first failure
};

int run_batch(Context& context, const Options& options) {
  Batch batch(context, options);
  if (options.file == "-") return batch.run(context.in);
  std::ifstream input(options.file);
  if (!input) return context.report(usage("cannot read " + options.file));
  return batch.run(input);
}

int run(Context& context, const Options& options) {
  if (!options.file.empty()) {
    if (!options.kind.empty())
      return context.report(usage("either a kind or -f FILE", "zokioctl submit --help"));
    return run_batch(context, options);
  }
  if (options.kind.empty())
    return context.report(usage("which kind of job?", "zokioctl submit --help"));
  v1::SubmitJobRequest request;
  if (auto made = make_request(request, options.kind, options.words, context.rest, options.flags);
      !made)
    return context.report(std::move(made.error()));
  request.set_validate_only(options.dry_run);
  std::optional<Interrupt> interrupt;
  if (options.wait) interrupt.emplace();
  v1::SubmitJobResponse response;
  auto call = call_for(context.timeout);
  const auto status = context.client().jobs().SubmitJob(call.get(), request, &response);
  if (!status.ok()) return context.report(status);
  if (!options.wait || options.dry_run) {
    print_submitted(context, response, options.dry_run);
    return kExitOk;
  }
  context.say("submitted " + response.job().id());
  return wait_for_jobs(context, *interrupt, {response.job().id()}, std::chrono::nanoseconds(0));
}

constexpr const char* kAbout =
    "Hand over a job; prints its id, which means that it is durable\n"
    "\n"
    "  submit exec -- ARGV...            run a command\n"
    "  submit file.checksum PATH         digest every file below PATH\n"
    "  submit file.scrub PATH MANIFEST   compare the files with a manifest of digests\n"
    "  submit file.copy SRC DST          copy one file and verify it\n"
    "  submit file.compress SRC DST      zstd, checked to come back\n"
    "  submit file.decompress SRC DST    the content of a zstd file\n"
    "  submit KIND key=value...          any kind, fields by name:\n"
    "    file.scrub bytes_per_second=50000000 progress_path=/srv/scrub.progress PATH MANIFEST\n"
    "    synthetic.spawn tasks=100000 seed=7 fanout=8 work=64\n"
    "    synthetic.alloc operations=10000 tasks=4 live_blocks=32 block_size_max_bytes=64Ki\n"
    "    synthetic.file size_bytes=1Mi block_bytes=64Ki fsync=true\n"
    "    tcp.proxy listen=127.0.0.1:8080 target=db.local:5432 connections_max=100\n"
    "    plugin name=NAME arguments.KEY=value\n"
    "    exec cwd=/tmp env.NAME=value grace=5s -- ARGV...\n"
    "  submit -f jobs.jsonl              one job for each line, - for stdin:\n"
    "    {\"kind\":\"exec\",\"exec\":{\"argv\":[\"true\"]},\"labels\":{\"a\":\"b\"},"
    "\"request_id\":\"...\"}";

}  // namespace

void add_submit_flags(CLI::App& command, SubmitFlags& flags) {
  command.add_option("--set", flags.fields, "A field of the kind; can be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_option("--label", flags.labels, "A label to find it by; can be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_option("--queue", flags.queue, "Where it waits (default)")->type_name("NAME");
  command.add_option("--priority", flags.priority, "-100 to 100, higher first");
  add_duration(command, "--job-timeout", flags.timeout, "Most time for one attempt (none)");
  command.add_option("--attempts", flags.attempts, "Attempts before it has failed for good (1)");
  add_duration(command, "--backoff", flags.backoff,
               "Before the second attempt, doubles each time (1s)");
  add_duration(command, "--delay", flags.delay, "Not before this much later (at once)");
  add_duration(command, "--deadline", flags.deadline,
               "Most time from now to its end, waits and attempts together (none)");
  command.add_option("--after", flags.after, "A job that has to end first; can be repeated")
      ->type_name("ID")
      ->allow_extra_args(false);
  command
      .add_option("--on-failure", flags.on_failure,
                  "When one of those does not succeed: cancel, run, hold (cancel)")
      ->check(CLI::IsMember({"cancel", "run", "hold"}).description(""))
      ->type_name("POLICY");
  command.add_option("--max-crashes", flags.crashes,
                     "Times in a row that zokiod may end while it runs before it failed (10)");
  command.add_option("--request-id", flags.request_id,
                     "Makes repeating safe: the same id returns the same job");
}

std::expected<void, Failure> make_request(v1::SubmitJobRequest& request, const std::string& kind,
                                          const std::vector<std::string>& words,
                                          const std::vector<std::string>& rest,
                                          const SubmitFlags& flags) {
  auto& spec = *request.mutable_spec();
  std::vector<std::string> all = flags.fields;
  // For exec without "--" the words are the command, so fields set with --set stay apart.
  const bool bare_command = kind == "exec" && rest.empty();
  if (!bare_command) all.insert(all.end(), words.begin(), words.end());
  if (auto done = read_work(spec, kind, all, bare_command ? words : rest); !done) return done;
  if (auto done = read_labels(spec, flags.labels); !done) return done;
  spec.set_queue(flags.queue);
  spec.set_priority(flags.priority);
  spec.set_max_attempts(flags.attempts);
  auto set = [](google::protobuf::Duration* out, std::chrono::nanoseconds value) {
    out->set_seconds(value.count() / 1'000'000'000);
    out->set_nanos(static_cast<int32_t>(value.count() % 1'000'000'000));
  };
  if (flags.timeout.count() > 0) set(spec.mutable_timeout(), flags.timeout);
  if (flags.delay.count() > 0) set(spec.mutable_delay(), flags.delay);
  if (flags.deadline.count() > 0) set(spec.mutable_deadline(), flags.deadline);
  spec.mutable_after()->Assign(flags.after.begin(), flags.after.end());
  if (flags.on_failure == "cancel")
    spec.set_on_dependency_failure(v1::ON_DEPENDENCY_FAILURE_CANCEL);
  if (flags.on_failure == "run") spec.set_on_dependency_failure(v1::ON_DEPENDENCY_FAILURE_RUN);
  if (flags.on_failure == "hold") spec.set_on_dependency_failure(v1::ON_DEPENDENCY_FAILURE_HOLD);
  spec.set_max_crashes(flags.crashes);
  if (flags.backoff.count() > 0) set(spec.mutable_backoff_initial(), flags.backoff);
  request.set_request_id(flags.request_id);
  return {};
}

void add_submit(CLI::App& app, Context& context, Action& action) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("submit", kAbout);
  command->add_option("kind", options->kind,
                      "exec, file.checksum, file.copy, synthetic.spawn, ...");
  command->add_option("words", options->words, "Depends on the kind, see above");
  command->add_option("-f,--file", options->file, "One job for each line; - for stdin");
  add_submit_flags(*command, options->flags);
  command->add_flag("--wait", options->wait, "Until it is finished; fails when the job fails");
  command->add_flag("--dry-run", options->dry_run, "Check it, submit nothing");
  command->callback([&context, &action, options] {
    action = [&context, options] { return run(context, *options); };
  });
}

}  // namespace zokioctl
