// SPDX-License-Identifier: Apache-2.0
#include "rpc/job_service.h"

#include <algorithm>

#include "model/limits.h"
#include "rpc/convert.h"
#include "zokio/timeout.h"

namespace zokiod::rpc {
namespace {

constexpr int32_t kPageDefault = 100;
// A page ends early when it is this large: clients take messages of 4 MiB by default.
constexpr size_t kPageBytesMax = 2u << 20;
constexpr zokio::Duration kProgressDefault = std::chrono::seconds(10);
constexpr zokio::Duration kProgressMin = std::chrono::milliseconds(100);

constexpr const char* kService = "zokio.v1.JobService";

Reported<> cancelled() {
  return model::refuse(zokio::Errc::Cancelled, reason::kCancelled, "the client went away");
}

Reported<jobs::ListFilter> filter_of(const v1::ListJobsRequest& request) {
  Violations violations;
  jobs::ListFilter out;
  for (int i = 0; i < request.states_size(); ++i) {
    if (auto state = from_proto(request.states(i)))
      out.states.push_back(*state);
    else
      violations.push_back({"states[" + std::to_string(i) + "]", "not a state"});
  }
  if (request.page_size() < 0) violations.push_back({"page_size", "negative"});
  out.kind = request.kind();
  out.queue = request.queue();
  out.labels = {request.labels().begin(), request.labels().end()};
  if (!violations.empty()) return model::refuse(invalid(std::move(violations)));
  return out;
}

Reported<jobs::WatchOptions> options_of(const v1::WatchJobsRequest& request,
                                        zokio::Duration& progress) {
  jobs::WatchOptions out;
  out.start_revision = request.start_revision();
  out.kind = request.kind();
  if (!request.job_id().empty()) {
    auto id = parse_id(request.job_id(), "job_id");
    if (!id) return model::refuse(id.error());
    out.job = *id;
  }
  Violations violations;
  progress = kProgressDefault;
  if (request.has_progress_interval())
    progress = std::max(kProgressMin,
                        from_proto(request.progress_interval(), "progress_interval", violations));
  if (!violations.empty()) return model::refuse(invalid(std::move(violations)));
  return out;
}

v1::WatchJobsResponse message_of(const jobs::WatchItem& item) {
  v1::WatchJobsResponse out;
  if (const auto* event = std::get_if<jobs::JobEvent>(&item))
    *out.mutable_event() = to_proto(*event);
  else
    out.mutable_progress()->set_revision(std::get<jobs::WatchProgress>(item).revision);
  return out;
}

v1::ReadJobLogResponse message_of(jobs::LogChunk chunk) {
  v1::ReadJobLogResponse out;
  out.set_data(std::move(chunk.data));
  out.set_attempt(chunk.attempt);
  out.set_offset_bytes(chunk.offset);
  out.set_dropped_bytes(chunk.dropped_bytes);
  out.set_end(chunk.end);
  return out;
}

}  // namespace

JobService::JobService(const CallEnvironment& environment, jobs::Engine& engine)
    : environment_(environment),
      engine_(engine),
      submit_job_(environment.stats->method(kService, "SubmitJob")),
      get_job_(environment.stats->method(kService, "GetJob")),
      list_jobs_(environment.stats->method(kService, "ListJobs")),
      watch_jobs_(environment.stats->method(kService, "WatchJobs")),
      cancel_job_(environment.stats->method(kService, "CancelJob")),
      requeue_job_(environment.stats->method(kService, "RequeueJob")),
      read_job_log_(environment.stats->method(kService, "ReadJobLog")),
      wait_job_(environment.stats->method(kService, "WaitJob")) {}

grpc::ServerUnaryReactor* JobService::SubmitJob(grpc::CallbackServerContext*,
                                                const v1::SubmitJobRequest* request,
                                                v1::SubmitJobResponse* response) {
  return answer(environment_, submit_job_, *request, &JobService::submit, this, request, response);
}

zokio::Task<Reported<>> JobService::submit(const v1::SubmitJobRequest* request,
                                           v1::SubmitJobResponse* response) {
  auto spec = from_proto(request->spec());
  if (!spec) co_return model::refuse(spec.error());
  jobs::SubmitOptions options;
  options.request_id = request->request_id();
  options.principal = environment_.principal;
  options.validate_only = request->validate_only();
  auto done = co_await engine_.submit(*std::move(spec), std::move(options));
  if (!done) co_return model::refuse(done.error());
  *response->mutable_job() = to_proto(done->job);
  response->set_duplicate(done->duplicate);
  co_return Reported<>();
}

grpc::ServerUnaryReactor* JobService::GetJob(grpc::CallbackServerContext*,
                                             const v1::GetJobRequest* request,
                                             v1::GetJobResponse* response) {
  return answer_now(environment_, get_job_, *request, [&]() -> Reported<> {
    auto id = parse_id(request->id(), "id");
    if (!id) return model::refuse(id.error());
    auto job = engine_.get(*id);
    if (!job) return model::refuse(job.error());
    *response->mutable_job() = to_proto(*job);
    return {};
  });
}

grpc::ServerUnaryReactor* JobService::ListJobs(grpc::CallbackServerContext*,
                                               const v1::ListJobsRequest* request,
                                               v1::ListJobsResponse* response) {
  return answer_now(environment_, list_jobs_, *request,
                    [&]() -> Reported<> { return list(*request, *response); });
}

Reported<> JobService::list(const v1::ListJobsRequest& request,
                            v1::ListJobsResponse& response) const {
  auto filter = filter_of(request);
  if (!filter) return model::refuse(filter.error());
  std::optional<jobs::JobId> before;
  if (!request.page_token().empty()) {
    auto id = parse_id(request.page_token(), "page_token");
    if (!id) return model::refuse(id.error());
    before = *id;
  }
  const size_t size =
      std::min(static_cast<size_t>(request.page_size() == 0 ? kPageDefault : request.page_size()),
               model::kListPageMax);
  uint64_t revision = 0;
  const jobs::ListPage page = engine_.list(*filter, before, size, &revision);
  response.set_revision(revision);
  size_t bytes = 0;
  for (const auto& job : page.jobs) {
    auto* message = response.add_jobs();
    *message = to_proto(job);
    bytes += message->ByteSizeLong();
    if (bytes >= kPageBytesMax && &job != &page.jobs.back()) {
      response.set_next_page_token(job.id.to_string());
      return {};
    }
  }
  if (page.next) response.set_next_page_token(page.next->to_string());
  return {};
}

grpc::ServerWriteReactor<v1::WatchJobsResponse>* JobService::WatchJobs(
    grpc::CallbackServerContext*, const v1::WatchJobsRequest* request) {
  return answer_stream<v1::WatchJobsResponse>(environment_, watch_jobs_, *request,
                                              &JobService::watch, this, request);
}

zokio::Task<Reported<>> JobService::watch(const v1::WatchJobsRequest* request,
                                          StreamCall<v1::WatchJobsResponse>* out) {
  zokio::Duration progress{};
  auto options = options_of(*request, progress);
  if (!options) co_return model::refuse(options.error());
  auto subscription = engine_.watch(*std::move(options));
  if (!subscription) co_return model::refuse(subscription.error());
  // Ends with the client or with the engine.
  while (true) {
    auto item = co_await (*subscription)->next(progress);
    if (!item) co_return model::refuse(item.error());
    auto written = co_await out->write(message_of(*item));
    if (!written) co_return cancelled();
  }
}

grpc::ServerUnaryReactor* JobService::CancelJob(grpc::CallbackServerContext*,
                                                const v1::CancelJobRequest* request,
                                                v1::CancelJobResponse* response) {
  return answer(environment_, cancel_job_, *request, &JobService::cancel, this, request, response);
}

zokio::Task<Reported<>> JobService::cancel(const v1::CancelJobRequest* request,
                                           v1::CancelJobResponse* response) {
  auto id = parse_id(request->id(), "id");
  if (!id) co_return model::refuse(id.error());
  auto job = co_await engine_.cancel(*id);
  if (!job) co_return model::refuse(job.error());
  *response->mutable_job() = to_proto(*job);
  co_return Reported<>();
}

grpc::ServerUnaryReactor* JobService::RequeueJob(grpc::CallbackServerContext*,
                                                 const v1::RequeueJobRequest* request,
                                                 v1::RequeueJobResponse* response) {
  return answer(environment_, requeue_job_, *request, &JobService::requeue, this, request,
                response);
}

zokio::Task<Reported<>> JobService::requeue(const v1::RequeueJobRequest* request,
                                            v1::RequeueJobResponse* response) {
  auto id = parse_id(request->id(), "id");
  if (!id) co_return model::refuse(id.error());
  auto job = co_await engine_.requeue(*id);
  if (!job) co_return model::refuse(job.error());
  *response->mutable_job() = to_proto(*job);
  co_return Reported<>();
}

grpc::ServerWriteReactor<v1::ReadJobLogResponse>* JobService::ReadJobLog(
    grpc::CallbackServerContext*, const v1::ReadJobLogRequest* request) {
  return answer_stream<v1::ReadJobLogResponse>(environment_, read_job_log_, *request,
                                               &JobService::read_log, this, request);
}

zokio::Task<Reported<>> JobService::read_log(const v1::ReadJobLogRequest* request,
                                             StreamCall<v1::ReadJobLogResponse>* out) {
  auto id = parse_id(request->id(), "id");
  if (!id) co_return model::refuse(id.error());
  jobs::LogOptions options;
  options.attempt = request->attempt();
  options.offset = request->offset_bytes();
  options.follow = request->follow();
  // Bounded by the kept output; with follow, by the attempt.
  while (true) {
    auto chunk = co_await engine_.read_log(*id, options);
    if (!chunk) co_return model::refuse(chunk.error());
    const bool last = chunk->end || (chunk->data.empty() && !options.follow);
    const bool say = chunk->end || !chunk->data.empty() || chunk->dropped_bytes != 0;
    options.offset = chunk->next_offset;
    // The attempt that was latest at the start, not a retry that begins meanwhile.
    if (chunk->attempt != 0) options.attempt = chunk->attempt;
    if (say) {
      auto written = co_await out->write(message_of(*std::move(chunk)));
      if (!written) co_return cancelled();
    }
    if (last) co_return Reported<>();
  }
}

grpc::ServerUnaryReactor* JobService::WaitJob(grpc::CallbackServerContext*,
                                              const v1::WaitJobRequest* request,
                                              v1::WaitJobResponse* response) {
  return answer(environment_, wait_job_, *request, &JobService::wait, this, request, response);
}

zokio::Task<Reported<>> JobService::wait(const v1::WaitJobRequest* request,
                                         v1::WaitJobResponse* response) {
  auto id = parse_id(request->id(), "id");
  if (!id) co_return model::refuse(id.error());
  zokio::Instant deadline = zokio::Instant::never();
  if (request->has_timeout()) {
    Violations violations;
    const auto timeout = from_proto(request->timeout(), "timeout", violations);
    if (!violations.empty()) co_return model::refuse(invalid(std::move(violations)));
    deadline = zokio::Instant::now() + timeout;
  }
  auto waited = co_await zokio::with_deadline(engine_.wait(*id), deadline);
  if (!waited) co_return model::refuse(model::make_report(waited.error(), "wait for a job"));
  Reported<jobs::Job>& job = *waited;
  if (job) {
    *response->mutable_job() = to_proto(*job);
    co_return Reported<>();
  }
  // Cancelled by the deadline, and not by a client that left.
  if (job.error().error.code == zokio::Errc::Cancelled && !zokio::cancelled()) {
    auto report = model::make_report(zokio::Errc::DeadlineExceeded, reason::kWaitTimedOut,
                                     "job " + request->id() + " is not finished yet");
    report.metadata["job_id"] = request->id();
    co_return model::refuse(std::move(report));
  }
  co_return model::refuse(job.error());
}

}  // namespace zokiod::rpc
