// SPDX-License-Identifier: Apache-2.0
// soak start|status|stop|report: StartSoak, GetSoak, StopSoak, GetReport.
//
// The exit code of `report` and of `start --wait` is the verdict: 0 PASS, 10 FAIL, 11 INCONCLUSIVE.

#include <zokio/v1/soak_service.grpc.pb.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <thread>

#include "commands/command.h"
#include "interrupt.h"

namespace zokioctl {
namespace {

using Report = v1::GetReportRequest;

constexpr auto kPoll = std::chrono::seconds(1);
// How often --wait says how it goes, and --out fetches the report so far.
constexpr int kPollsPerNews = 60;

struct FormatName {
  const char* name;
  Report::Format format;
  const char* file;
};
constexpr std::array kFormats = {
    FormatName{"html", Report::FORMAT_HTML, "report.html"},
    FormatName{"json", Report::FORMAT_JSON, "report.json"},
    FormatName{"md", Report::FORMAT_MARKDOWN, "summary.md"},
    FormatName{"csv", Report::FORMAT_CSV, "samples.csv"},
};

struct Options {
  std::string run_id;
  std::string profile;
  std::chrono::nanoseconds duration{};
  uint64_t seed = 0;
  double rate = 0;
  std::vector<std::string> inject;
  bool wait = false;
  std::string out;
  std::string format;
  std::string reason;
};

const char* verdict_name(v1::SoakState state) {
  switch (state) {
    case v1::SOAK_STATE_PASS:
      return "PASS";
    case v1::SOAK_STATE_FAIL:
      return "FAIL";
    default:
      return "INCONCLUSIVE";
  }
}

const char* state_name(v1::SoakState state) {
  switch (state) {
    case v1::SOAK_STATE_PASS:
      return "pass";
    case v1::SOAK_STATE_FAIL:
      return "fail";
    default:
      return "inconclusive";
  }
}

int exit_code_of(v1::SoakState state) {
  switch (state) {
    case v1::SOAK_STATE_PASS:
      return kExitOk;
    case v1::SOAK_STATE_FAIL:
      return kExitSoakFail;
    default:
      return kExitSoakInconclusive;
  }
}

// A value with its unit: ratios in percent, bytes in powers of two.
std::string number(double value, const std::string& unit) {
  char text[64];
  if (unit.starts_with("bytes")) {
    static constexpr std::array kUnits = {"B", "Ki", "Mi", "Gi"};
    size_t i = 0;
    for (; std::fabs(value) >= 1024 && i + 1 < kUnits.size(); ++i) value /= 1024;
    std::snprintf(text, sizeof text, "%.1f%s%s", value, kUnits[i], unit == "bytes/s" ? "/s" : "");
  } else if (unit == "ratio") {
    std::snprintf(text, sizeof text, "%.3f%%", value * 100);
  } else if (unit == "s" && std::fabs(value) < 1) {
    std::snprintf(text, sizeof text, "%.3gms", value * 1e3);
  } else {
    std::snprintf(text, sizeof text, "%.4g%s%s", value, unit == "s" ? "" : " ", unit.c_str());
  }
  return text;
}

std::string seconds(const google::protobuf::Duration& duration) {
  return std::to_string(duration.seconds()) + "s";
}

void print_checks(Context& context, const v1::Soak& soak) {
  Table table({"CHECK", "STATE", "VALUE", "95% INTERVAL", "LIMIT"});
  for (const auto& check : soak.checks()) {
    const std::string interval = check.has_interval_low()
                                     ? number(check.interval_low(), check.unit()) + " .. " +
                                           number(check.interval_high(), check.unit())
                                     : "-";
    table.add({check.name(), state_name(check.state()),
               check.measured() ? number(check.value(), check.unit()) : "-", interval,
               (check.at_least() ? ">= " : "<= ") + number(check.limit(), check.unit())});
  }
  if (!table.empty()) table.print(context.out, context.color_out);
}

void print_soak(Context& context, const v1::Soak& soak) {
  if (context.format == Format::Name) {
    context.out << soak.run_id() << "\n";
    return;
  }
  if (context.format != Format::Table) {
    print_json(context, soak);
    return;
  }
  const auto& jobs = soak.jobs();
  context.out << "soak " << soak.run_id() << ": "
              << (soak.running() ? soak.phase() : verdict_name(soak.verdict())) << ", "
              << seconds(soak.elapsed()) << " of " << seconds(soak.duration()) << ", seed "
              << soak.seed() << "\n"
              << "jobs: " << jobs.acknowledged() << " acknowledged, " << jobs.succeeded()
              << " succeeded, " << jobs.failed() << " failed, " << jobs.outstanding()
              << " under way, " << jobs.lost() << " lost; " << soak.resizes() << " resizes\n"
              << "report: " << soak.report_dir() << "\n";
  if (!soak.stop_reason().empty()) context.out << "stopped early: " << soak.stop_reason() << "\n";
  for (const std::string& fault : soak.inject()) context.out << "injected: " << fault << "\n";
  print_checks(context, soak);
}

std::unique_ptr<v1::SoakService::Stub> stub(Context& context) {
  return v1::SoakService::NewStub(context.client().channel());
}

grpc::Status get_soak(Context& context, const std::string& run_id, v1::Soak& soak) {
  auto call = call_for(context.timeout);
  v1::GetSoakRequest request;
  request.set_run_id(run_id);
  v1::GetSoakResponse response;
  const grpc::Status status = stub(context)->GetSoak(call.get(), request, &response);
  if (status.ok()) soak = std::move(*response.mutable_soak());
  return status;
}

grpc::Status get_report(Context& context, const std::string& run_id, Report::Format format,
                        std::string& text, v1::Soak* soak) {
  auto call = call_for(context.timeout);
  v1::GetReportRequest request;
  request.set_run_id(run_id);
  request.set_format(format);
  auto reader = stub(context)->GetReport(call.get(), request);
  text.clear();
  for (v1::GetReportResponse piece; reader->Read(&piece);) {
    text += piece.data();
    if (piece.has_soak() && soak != nullptr) *soak = std::move(*piece.mutable_soak());
  }
  return reader->Finish();
}

Failure cannot_write(const std::filesystem::path& path) {
  Failure failure;
  failure.message = "cannot write " + path.string();
  return failure;
}

// Fetches every format into `directory`, or only `wanted`.
std::optional<Failure> save_reports(Context& context, const std::string& run_id,
                                    const std::string& directory, const std::string& wanted) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  for (const FormatName& format : kFormats) {
    if (!wanted.empty() && wanted != format.name) continue;
    std::string text;
    if (const auto status = get_report(context, run_id, format.format, text, nullptr); !status.ok())
      return failure_of(status);
    const auto path = std::filesystem::path(directory) / format.file;
    std::ofstream out(path, std::ios::binary);
    out << text;
    if (!out.flush()) return cannot_write(path);
  }
  return std::nullopt;
}

// Follows a soak to its end. Nullopt: it ended; otherwise the exit code.
std::optional<int> wait_for_end(Context& context, const Options& options, Interrupt& interrupt,
                                v1::Soak& soak) {
  const std::string run_id = soak.run_id();
  for (int polls = 1; soak.running(); ++polls) {
    for (int i = 0; i < 10 && !interrupt.happened(); ++i) std::this_thread::sleep_for(kPoll / 10);
    if (interrupt.happened()) {
      context.say("the soak goes on; follow it with: zokioctl soak status");
      return kExitInterrupted;
    }
    if (const auto status = get_soak(context, run_id, soak); !status.ok())
      return context.report(status);
    if (polls % kPollsPerNews != 0 || !soak.running()) continue;
    context.say("soak " + run_id + ": " + soak.phase() + ", " + seconds(soak.elapsed()) + " of " +
                seconds(soak.duration()) + ", " + std::to_string(soak.jobs().succeeded()) +
                " jobs succeeded");
    if (!options.out.empty()) save_reports(context, run_id, options.out, "");
  }
  return std::nullopt;
}

int run_start(Context& context, const Options& options) {
  Interrupt interrupt;
  v1::StartSoakRequest request;
  request.set_profile(options.profile);
  if (options.duration.count() != 0) {
    request.mutable_duration()->set_seconds(options.duration.count() / 1'000'000'000);
    request.mutable_duration()->set_nanos(
        static_cast<int>(options.duration.count() % 1'000'000'000));
  }
  request.set_seed(options.seed);
  request.set_rate_per_second(options.rate);
  for (const std::string& fault : options.inject) request.add_inject(fault);
  auto call = call_for(context.timeout);
  v1::StartSoakResponse response;
  if (const auto status = stub(context)->StartSoak(call.get(), request, &response); !status.ok())
    return context.report(status);

  v1::Soak& soak = *response.mutable_soak();
  if (!options.wait && options.out.empty()) {
    print_soak(context, soak);
    return kExitOk;
  }
  context.say("soak " + soak.run_id() + " started, seed " + std::to_string(soak.seed()) +
              "; report: " + soak.report_dir());
  if (const auto code = wait_for_end(context, options, interrupt, soak)) return *code;
  print_soak(context, soak);
  if (!options.out.empty()) {
    if (auto failure = save_reports(context, soak.run_id(), options.out, ""))
      return context.report(std::move(*failure));
  }
  return exit_code_of(soak.verdict());
}

int run_status(Context& context, const Options& options) {
  v1::Soak soak;
  if (const auto status = get_soak(context, options.run_id, soak); !status.ok())
    return context.report(status);
  print_soak(context, soak);
  return kExitOk;
}

int run_stop(Context& context, const Options& options) {
  auto call = call_for(context.timeout);
  v1::StopSoakRequest request;
  request.set_run_id(options.run_id);
  request.set_reason(options.reason);
  v1::StopSoakResponse response;
  if (const auto status = stub(context)->StopSoak(call.get(), request, &response); !status.ok())
    return context.report(status);
  print_soak(context, response.soak());
  return kExitOk;
}

int run_report(Context& context, const Options& options) {
  v1::Soak soak;
  std::string text;
  const std::string wanted = options.format.empty() ? "md" : options.format;
  for (const FormatName& format : kFormats) {
    if (wanted != format.name) continue;
    const auto status = get_report(context, options.run_id, format.format, text, &soak);
    if (!status.ok()) return context.report(status);
  }
  if (options.out.empty()) {
    context.out << text;
  } else if (auto failure = save_reports(context, soak.run_id(), options.out, options.format)) {
    return context.report(std::move(*failure));
  } else {
    context.say("written to " + options.out);
  }
  if (soak.running()) context.say("soak " + soak.run_id() + " has not ended");
  return soak.running() ? kExitSoakInconclusive : exit_code_of(soak.verdict());
}

using Run = int (*)(Context&, const Options&);

void bind(CLI::App* command, Context& context, Action& action, std::shared_ptr<Options> options,
          Run run) {
  command->callback([&context, &action, options, run] {
    action = [&context, options, run] { return run(context, *options); };
  });
}

}  // namespace

void add_soak(CLI::App& app, Context& context, Action& action) {
  auto* soak = app.add_subcommand("soak", "Long synthetic load with one verdict");
  soak->require_subcommand(1);
  auto options = std::make_shared<Options>();

  auto* start = soak->add_subcommand("start", "Start one; prints its id");
  start->add_option("--profile", options->profile, "smoke (the default)");
  add_duration(*start, "--duration", options->duration, "30s to 7d; default: 10m");
  start->add_option("--seed", options->seed, "Makes jobs and resizes repeatable; default: drawn");
  start->add_option("--rate", options->rate, "Jobs per second; default: 50");
  start->add_option("--inject", options->inject,
                    "A fault that the soak has to notice: leak=256Ki/s, drop-job (needs "
                    "soak.allow_faults)");
  start->add_flag("--wait", options->wait, "Wait for its end; the exit code is the verdict");
  start->add_option("--out", options->out, "Wait, and keep a copy of the report in this directory");
  bind(start, context, action, options, run_start);

  auto* status = soak->add_subcommand("status", "The current or last one, as judged so far");
  status->add_option("run", options->run_id, "Its id");
  bind(status, context, action, options, run_status);

  auto* stop = soak->add_subcommand("stop", "End the load and write the report");
  stop->add_option("run", options->run_id, "Its id");
  stop->add_option("--reason", options->reason, "For the report");
  bind(stop, context, action, options, run_stop);

  auto* report = soak->add_subcommand(
      "report", "Print or save the report; exit code 0 PASS, 10 FAIL, 11 INCONCLUSIVE");
  report->add_option("run", options->run_id, "Its id");
  report->add_option("--format", options->format, "html, json, md or csv; default: md")
      ->check(CLI::IsMember({"html", "json", "md", "csv"}));
  report->add_option("--out", options->out,
                     "Save to this directory: the format given, or all of them");
  bind(report, context, action, options, run_report);
}

}  // namespace zokioctl
