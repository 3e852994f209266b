// SPDX-License-Identifier: Apache-2.0
#include "rpc/soak_service.h"

#include <zokio/v1/soak_service.grpc.pb.h>

#include "rpc/bridge.h"
#include "rpc/convert.h"
#include "soak/report.h"
#include "zokio/spawn_blocking.h"

namespace zokiod::rpc {
namespace {

// Pieces of a report: well below the limit of a message.
constexpr size_t kChunkBytes = 256 * 1024;

v1::SoakState state_of(soak::CheckState state) {
  switch (state) {
    case soak::CheckState::Pass:
      return v1::SOAK_STATE_PASS;
    case soak::CheckState::Fail:
      return v1::SOAK_STATE_FAIL;
    case soak::CheckState::Inconclusive:
      return v1::SOAK_STATE_INCONCLUSIVE;
  }
  return v1::SOAK_STATE_UNSPECIFIED;
}

google::protobuf::Duration seconds(double value) {
  return to_proto(zokio::Duration(static_cast<int64_t>(value * 1e9)));
}

void write(v1::SoakCheck& out, const soak::Check& check) {
  out.set_name(check.name);
  out.set_title(check.title);
  out.set_state(state_of(check.state));
  out.set_measured(check.measured);
  out.set_value(check.value);
  if (check.interval) {
    out.set_interval_low(check.interval->low);
    out.set_interval_high(check.interval->high);
  }
  out.set_limit(check.limit);
  out.set_at_least(check.at_least);
  out.set_unit(check.unit);
  out.set_why(check.why);
}

void write(v1::SoakJobs& out, const soak::Accounting& jobs) {
  out.set_offered(jobs.offered);
  out.set_skipped(jobs.skipped);
  out.set_acknowledged(jobs.acknowledged);
  out.set_rejected(jobs.rejected);
  out.set_succeeded(jobs.succeeded);
  out.set_failed(jobs.failed);
  out.set_duplicates(jobs.duplicates);
  out.set_lost(jobs.lost);
  out.set_mismatches(jobs.mismatches);
  out.set_outstanding(jobs.outstanding);
}

void write(v1::Soak& out, const soak::Status& status) {
  const soak::Record& record = status.record;
  out.set_run_id(status.run_id);
  out.set_profile(record.plan.profile);
  out.set_seed(record.plan.seed);
  out.set_running(status.running);
  out.set_phase(std::string(soak::phase_name(record.phase)));
  set_time(*out.mutable_start_time(), model::WallTime{record.start_unix_ms * 1'000'000});
  *out.mutable_duration() = seconds(record.plan.duration_s);
  *out.mutable_elapsed() = seconds(record.elapsed_s);
  out.set_rate_per_second(record.plan.rate);
  out.set_verdict(state_of(status.verdict.state));
  for (const soak::Check& check : status.verdict.checks) write(*out.add_checks(), check);
  write(*out.mutable_jobs(), record.jobs);
  out.set_resizes(record.resizes.size());
  for (const std::string& fault : soak::inject_names(record.plan.inject)) out.add_inject(fault);
  out.set_report_dir(status.report_dir);
  out.set_stop_reason(record.stop_reason);
}

soak::Format from_proto(v1::GetReportRequest::Format format) {
  switch (format) {
    case v1::GetReportRequest::FORMAT_JSON:
      return soak::Format::Json;
    case v1::GetReportRequest::FORMAT_MARKDOWN:
      return soak::Format::Markdown;
    case v1::GetReportRequest::FORMAT_CSV:
      return soak::Format::Csv;
    default:
      return soak::Format::Html;
  }
}

class SoakService final : public v1::SoakService::CallbackService {
 public:
  SoakService(const CallEnvironment& environment, soak::Engine& soak)
      : environment_(environment),
        soak_(soak),
        start_soak_(environment.stats->method("zokio.v1.SoakService", "StartSoak")),
        get_soak_(environment.stats->method("zokio.v1.SoakService", "GetSoak")),
        stop_soak_(environment.stats->method("zokio.v1.SoakService", "StopSoak")),
        get_report_(environment.stats->method("zokio.v1.SoakService", "GetReport")) {}

  grpc::ServerUnaryReactor* StartSoak(grpc::CallbackServerContext*,
                                      const v1::StartSoakRequest* request,
                                      v1::StartSoakResponse* response) override {
    return answer_now(environment_, start_soak_, *request,
                      [&]() -> Reported<> { return start(*request, *response->mutable_soak()); });
  }
  grpc::ServerUnaryReactor* GetSoak(grpc::CallbackServerContext*, const v1::GetSoakRequest* request,
                                    v1::GetSoakResponse* response) override {
    return answer_now(environment_, get_soak_, *request, [&]() -> Reported<> {
      return shown(soak_.status(request->run_id()), *response->mutable_soak());
    });
  }
  grpc::ServerUnaryReactor* StopSoak(grpc::CallbackServerContext*,
                                     const v1::StopSoakRequest* request,
                                     v1::StopSoakResponse* response) override {
    return answer_now(environment_, stop_soak_, *request, [&]() -> Reported<> {
      return shown(soak_.stop(request->run_id(), request->reason()), *response->mutable_soak());
    });
  }
  grpc::ServerWriteReactor<v1::GetReportResponse>* GetReport(
      grpc::CallbackServerContext*, const v1::GetReportRequest* request) override {
    return answer_stream<v1::GetReportResponse>(environment_, get_report_, *request,
                                                &SoakService::send_report, this, request);
  }

 private:
  static Reported<> shown(Reported<soak::Status> status, v1::Soak& out) {
    if (!status) return std::unexpected(std::move(status.error()));
    write(out, *status);
    return {};
  }

  Reported<> start(const v1::StartSoakRequest& request, v1::Soak& out) {
    Violations violations;
    soak::StartRequest wanted{.profile = request.profile(),
                              .seed = request.seed(),
                              .rate = request.rate_per_second(),
                              .inject = {request.inject().begin(), request.inject().end()}};
    if (request.has_duration()) {
      wanted.duration = rpc::from_proto(request.duration(), "duration", violations);
    }
    if (!violations.empty()) return model::refuse(invalid(std::move(violations)));
    return shown(soak_.start(wanted), out);
  }

  // The file is read on a thread that may block.
  zokio::Task<Reported<>> send_report(const v1::GetReportRequest* request,
                                      StreamCall<v1::GetReportResponse>* call) {
    const std::string run_id = request->run_id();
    const soak::Format format = from_proto(request->format());
    auto status = soak_.status(run_id);
    if (!status) co_return std::unexpected(std::move(status.error()));
    auto text = co_await zokio::blocking([&] { return soak_.report(run_id, format); });
    if (!text) co_return model::refuse(model::make_report(text.error(), "read the report"));
    if (!*text) co_return std::unexpected(std::move(text->error()));
    v1::GetReportResponse message;
    write(*message.mutable_soak(), *status);
    for (size_t at = 0; at < (*text)->size(); at += kChunkBytes) {
      message.set_data((*text)->substr(at, kChunkBytes));
      auto sent = co_await call->write(std::move(message));
      if (!sent) co_return model::refuse(model::make_report(sent.error(), "send the report"));
      message.Clear();
    }
    co_return Reported<>();
  }

  const CallEnvironment& environment_;
  soak::Engine& soak_;
  CallStats::Method& start_soak_;
  CallStats::Method& get_soak_;
  CallStats::Method& stop_soak_;
  CallStats::Method& get_report_;
};

}  // namespace

ServiceFactory soak_service(soak::Engine& soak) {
  return [&soak](const CallEnvironment& environment) {
    return std::make_shared<SoakService>(environment, soak);
  };
}

}  // namespace zokiod::rpc
