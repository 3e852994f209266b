// SPDX-License-Identifier: Apache-2.0
// zokioctl queue: the queues, and what they are told.
#include <charconv>
#include <expected>
#include <optional>
#include <ostream>
#include <thread>

#include "commands/command.h"
#include "interrupt.h"
#include "job_view.h"
#include "units.h"

namespace zokioctl {
namespace {

struct Options {
  std::string name;
  std::optional<int32_t> priority;
  std::optional<uint32_t> shares, concurrency, size_limit, burst;
  std::string rate;  // "10/s"
  bool wait = false;
};

// How often a drain that is waited for looks.
constexpr auto kLook = std::chrono::milliseconds(200);

// "10", "10/s", "100/5m", "none".
std::expected<void, Failure> read_rate(v1::QueueSettings& out, const std::string& text) {
  const auto wrong = [&] {
    return std::unexpected(usage("--rate " + text + ": want 10/s, 100/m, 5/30s or none"));
  };
  if (text == "none") {
    out.set_rate(0);
    return {};
  }
  const size_t slash = text.find('/');
  const std::string count = text.substr(0, slash);
  uint32_t rate = 0;
  const auto [at, error] = std::from_chars(count.data(), count.data() + count.size(), rate);
  if (error != std::errc{} || at != count.data() + count.size()) return wrong();
  std::string span = slash == std::string::npos ? "1s" : text.substr(slash + 1);
  if (!span.empty() && (span[0] < '0' || span[0] > '9')) span = "1" + span;
  const auto interval = parse_duration(span);
  if (!interval || interval->count() <= 0) return wrong();
  out.set_rate(rate);
  out.mutable_rate_interval()->set_seconds(interval->count() / 1'000'000'000);
  out.mutable_rate_interval()->set_nanos(static_cast<int32_t>(interval->count() % 1'000'000'000));
  return {};
}

std::expected<v1::QueueSettings, Failure> settings_of(const Options& options) {
  v1::QueueSettings out;
  if (options.priority) out.set_priority(*options.priority);
  if (options.shares) out.set_shares(*options.shares);
  if (options.concurrency) out.set_concurrency(*options.concurrency);
  if (options.size_limit) out.set_size_limit(*options.size_limit);
  if (options.burst) out.set_burst(*options.burst);
  if (!options.rate.empty())
    if (auto done = read_rate(out, options.rate); !done) return std::unexpected(done.error());
  return out;
}

std::string mode_name(v1::QueueMode mode) {
  switch (mode) {
    case v1::QUEUE_MODE_PAUSED:
      return "paused";
    case v1::QUEUE_MODE_DRAINING:
      return "draining";
    default:
      return "active";
  }
}

std::string limit_text(uint64_t limit) {
  return limit == 0 ? "-" : std::to_string(limit);
}

std::string rate_text(const v1::QueueSettings& s) {
  if (s.rate() == 0) return "-";
  const auto interval = std::chrono::seconds(s.rate_interval().seconds()) +
                        std::chrono::nanoseconds(s.rate_interval().nanos());
  const std::string span = interval == std::chrono::seconds(1)   ? "s"
                           : interval == std::chrono::minutes(1) ? "m"
                           : interval == std::chrono::hours(1)   ? "h"
                                                                 : format_duration(interval);
  std::string out = std::to_string(s.rate()) + "/" + span;
  if (s.burst() > 1) out += " burst " + std::to_string(s.burst());
  return out;
}

std::vector<std::string> row(const v1::Queue& q) {
  const auto& s = q.settings();
  std::string state = mode_name(s.mode());
  if (!q.held_by().empty() && q.held_by() != state) state += " (held by " + q.held_by() + ")";
  return {q.name(),
          state,
          std::to_string(q.queued()),
          std::to_string(q.running()),
          std::to_string(s.priority()),
          std::to_string(s.shares()),
          limit_text(s.concurrency()),
          rate_text(s),
          limit_text(s.size_limit()),
          q.has_oldest_queue_time() ? time_text(q.oldest_queue_time()) : "-"};
}

const std::vector<std::string> kHeader = {"NAME",   "STATE",       "QUEUED", "RUNNING", "PRIORITY",
                                          "SHARES", "CONCURRENCY", "RATE",   "SIZE",    "OLDEST"};

void print(Context& context, const v1::Queue& queue, const std::string& what) {
  if (context.format == Format::Name)
    context.out << queue.name() << '\n';
  else if (context.format != Format::Table)
    print_json(context, queue);
  else if (!what.empty())
    context.out << queue.name() << ' ' << what << ": " << queue.queued() << " queued, "
                << queue.running() << " running\n";
  else {
    Table table(kHeader);
    table.add(row(queue));
    table.print(context.out, context.color_out);
  }
}

int list(Context& context) {
  v1::ListQueuesResponse response;
  auto call = call_for(context.timeout);
  const auto status = context.client().queues().ListQueues(call.get(), {}, &response);
  if (!status.ok()) return context.report(status);
  if (context.format == Format::Json) {
    context.out << json_document(response);
    return kExitOk;
  }
  Table table(kHeader);
  for (const auto& queue : response.queues()) {
    if (context.format == Format::Table)
      table.add(row(queue));
    else
      print(context, queue, "");
  }
  if (context.format == Format::Table) table.print(context.out, context.color_out);
  return kExitOk;
}

int get(Context& context, const Options& options) {
  v1::GetQueueRequest request;
  request.set_name(options.name);
  v1::GetQueueResponse response;
  auto call = call_for(context.timeout);
  const auto status = context.client().queues().GetQueue(call.get(), request, &response);
  if (!status.ok()) return context.report(status);
  print(context, response.queue(), "");
  return kExitOk;
}

int create(Context& context, const Options& options) {
  auto settings = settings_of(options);
  if (!settings) return context.report(std::move(settings.error()));
  v1::CreateQueueRequest request;
  request.set_name(options.name);
  *request.mutable_settings() = *std::move(settings);
  v1::CreateQueueResponse response;
  auto call = call_for(context.timeout);
  const auto status = context.client().queues().CreateQueue(call.get(), request, &response);
  if (!status.ok()) return context.report(status);
  print(context, response.queue(), "created");
  return kExitOk;
}

int update(Context& context, const Options& options, v1::QueueSettings settings,
           const std::string& what) {
  v1::UpdateQueueRequest request;
  request.set_name(options.name);
  *request.mutable_settings() = std::move(settings);
  v1::UpdateQueueResponse response;
  auto call = call_for(context.timeout);
  const auto status = context.client().queues().UpdateQueue(call.get(), request, &response);
  if (!status.ok()) return context.report(status);
  print(context, response.queue(), what);
  return kExitOk;
}

int set(Context& context, const Options& options) {
  auto settings = settings_of(options);
  if (!settings) return context.report(std::move(settings.error()));
  if (settings->ByteSizeLong() == 0)
    return context.report(usage("nothing to change", "zokioctl queue set --help"));
  return update(context, options, *std::move(settings), "changed");
}

int set_mode(Context& context, const Options& options, v1::QueueMode mode) {
  v1::QueueSettings settings;
  settings.set_mode(mode);
  return update(context, options, settings, mode_name(mode));
}

int drain(Context& context, const Options& options) {
  Interrupt interrupt;
  if (const int code = set_mode(context, options, v1::QUEUE_MODE_DRAINING); code != kExitOk)
    return code;
  v1::GetQueueRequest request;
  request.set_name(options.name);
  while (options.wait) {
    v1::GetQueueResponse response;
    auto call = call_for(context.timeout);
    const auto status = context.client().queues().GetQueue(call.get(), request, &response);
    if (interrupt.happened()) {
      context.say("detached; the queue goes on draining. To wait again: zokioctl queue drain " +
                  options.name + " --wait");
      return kExitInterrupted;
    }
    if (!status.ok()) return context.report(status);
    if (response.queue().live() == 0) break;
    std::this_thread::sleep_for(kLook);
  }
  if (options.wait) context.say(options.name + " is empty");
  return kExitOk;
}

int remove(Context& context, const Options& options) {
  v1::DeleteQueueRequest request;
  request.set_name(options.name);
  v1::DeleteQueueResponse response;
  auto call = call_for(context.timeout);
  const auto status = context.client().queues().DeleteQueue(call.get(), request, &response);
  if (!status.ok()) return context.report(status);
  context.say(options.name + " deleted");
  return kExitOk;
}

int purge(Context& context, const Options& options) {
  v1::PurgeQueueRequest request;
  request.set_name(options.name);
  v1::PurgeQueueResponse response;
  auto call = call_for(context.timeout);
  const auto status = context.client().queues().PurgeQueue(call.get(), request, &response);
  if (!status.ok()) return context.report(status);
  if (context.format == Format::Json || context.format == Format::Jsonl)
    print_json(context, response);
  else
    context.out << response.cancelled() << " cancelled\n";
  return kExitOk;
}

void add_settings(CLI::App& command, Options& options) {
  command.add_option("--priority", options.priority, "-100 to 100; higher queues start first (0)");
  command.add_option("--shares", options.shares,
                     "1 to 10000: its part of the starts among equal priorities (100)");
  command.add_option("--concurrency", options.concurrency, "Jobs running at a time; 0: no limit");
  command.add_option("--rate", options.rate, "Starts, evenly: 10/s, 100/m, 5/30s; none");
  command.add_option("--burst", options.burst, "Starts at once after a pause (1)");
  command.add_option("--size-limit", options.size_limit,
                     "Jobs not finished; a submit beyond it is refused; 0: no limit");
}

}  // namespace

void add_queue(CLI::App& app, Context& context, Action& action) {
  auto* command = app.add_subcommand("queue", "Where jobs wait: make, limit, pause, drain, purge");
  command->require_subcommand(1);
  auto* all = command->add_subcommand("list", "Every queue");
  all->callback([&context, &action] { action = [&context] { return list(context); }; });
  using Run = std::function<int(Context&, const Options&)>;
  const auto add = [&](const char* name, const char* about, Run run) {
    auto options = std::make_shared<Options>();
    auto* sub = command->add_subcommand(name, about);
    sub->add_option("name", options->name, "Name of the queue")->required();
    sub->callback([&context, &action, options, run = std::move(run)] {
      action = [&context, options, run] { return run(context, *options); };
    });
    return std::pair(sub, options.get());
  };
  add("get", "One queue", get);
  auto [make, make_options] = add("create", "Make a queue", create);
  add_settings(*make, *make_options);
  auto [change, change_options] = add("set", "Change what is given, leave the rest", set);
  add_settings(*change, *change_options);
  add("pause", "Take jobs, start none",
      [](Context& c, const Options& o) { return set_mode(c, o, v1::QUEUE_MODE_PAUSED); });
  add("resume", "Take and start jobs again",
      [](Context& c, const Options& o) { return set_mode(c, o, v1::QUEUE_MODE_ACTIVE); });
  auto [empty, empty_options] = add("drain", "Take no more jobs, run those it has", drain);
  empty->add_flag("--wait", empty_options->wait, "Until it is empty");
  add("purge", "Cancel every job that waits in it", purge);
  add("delete", "Remove a queue that has no unfinished jobs", remove);
}

}  // namespace zokioctl
