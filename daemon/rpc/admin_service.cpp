// SPDX-License-Identifier: Apache-2.0
#include "rpc/admin_service.h"

#include <unistd.h>

#include "rpc/convert.h"

namespace zokiod::rpc {
namespace {

constexpr zokio::Duration kDrainDefault = std::chrono::seconds(30);

// A task of its own: a client that leaves does not stop a drain.
zokio::Task<jobs::DrainStatus> run_drain(jobs::Engine* engine, zokio::Duration deadline,
                                         std::string reason) {
  co_return co_await engine->drain(deadline, std::move(reason));
}

void write(v1::DrainResponse& out, const jobs::DrainStatus& status) {
  out.set_state(std::string(jobs::to_string(status.state)));
  out.set_reason(status.reason);
  out.set_running(status.running);
  out.set_queued(status.queued);
  out.set_finished(status.finished);
  out.set_interrupted(status.interrupted);
}

}  // namespace

AdminService::AdminService(const CallEnvironment& environment, const Dependencies& dependencies,
                           const ServerOptions& options)
    : environment_(environment),
      dependencies_(dependencies),
      options_(options),
      get_server_info_(environment.stats->method("zokio.v1.AdminService", "GetServerInfo")),
      drain_(environment.stats->method("zokio.v1.AdminService", "Drain")),
      reload_config_(environment.stats->method("zokio.v1.AdminService", "ReloadConfig")),
      backup_(environment.stats->method("zokio.v1.AdminService", "Backup")) {}

grpc::ServerUnaryReactor* AdminService::GetServerInfo(grpc::CallbackServerContext*,
                                                      const v1::GetServerInfoRequest* request,
                                                      v1::GetServerInfoResponse* response) {
  return answer_now(environment_, get_server_info_, *request, [&]() -> Reported<> {
    describe(*response);
    return {};
  });
}

void AdminService::describe(v1::GetServerInfoResponse& out) const {
  out.set_version(options_.version);
  out.set_revision(options_.revision);
  out.set_compiler(options_.compiler);
  out.set_pid(static_cast<uint32_t>(getpid()));
  const double started = dependencies_.process().start_time_unix_seconds;
  set_time(*out.mutable_start_time(), model::WallTime{static_cast<int64_t>(started * 1e9)});
  const auto io = dependencies_.runtime->stats().io;
  out.set_backend(io.backend);
  out.set_fallback_reason(io.fallback_reason);
  out.set_config_path(options_.config_path);
  const auto stats = dependencies_.engine->stats();
  out.set_state(std::string(jobs::to_string(stats.state)));
  for (const auto& kind : stats.kinds) {
    auto* to = out.add_kinds();
    to->set_name(kind.kind);
    to->set_allowed(kind.allowed);
  }
  out.set_max_request_bytes(environment_.message_limit_bytes);
}

grpc::ServerUnaryReactor* AdminService::Drain(grpc::CallbackServerContext*,
                                              const v1::DrainRequest* request,
                                              v1::DrainResponse* response) {
  return answer(environment_, drain_, *request, &AdminService::drain, this, request, response);
}

zokio::Task<Reported<>> AdminService::drain(const v1::DrainRequest* request,
                                            v1::DrainResponse* response) {
  Violations violations;
  const zokio::Duration deadline = request->has_deadline()
                                       ? from_proto(request->deadline(), "deadline", violations)
                                       : kDrainDefault;
  if (!violations.empty()) co_return model::refuse(invalid(std::move(violations)));
  const std::string why = request->reason().empty()
                              ? "asked for by uid " + std::to_string(environment_.principal.uid)
                              : request->reason();
  if (dependencies_.on_drain) dependencies_.on_drain(deadline, why);
  auto task = zokio::spawn(&run_drain, dependencies_.engine, deadline, why);
  if (request->wait()) {
    auto status = co_await task;
    if (!status) co_return model::refuse(model::make_report(status.error(), "drain"));
    write(*response, *status);
    co_return Reported<>();
  }
  // Let it begin, so that the answer already says so.
  while (dependencies_.engine->drain_status().state == jobs::EngineState::Serving &&
         !task.finished())
    co_await zokio::yield_now();
  write(*response, dependencies_.engine->drain_status());
  co_return Reported<>();
}

grpc::ServerUnaryReactor* AdminService::ReloadConfig(grpc::CallbackServerContext*,
                                                     const v1::ReloadConfigRequest* request,
                                                     v1::ReloadConfigResponse* response) {
  return answer_now(environment_, reload_config_, *request,
                    [&]() -> Reported<> { return reload(*request, *response); });
}

grpc::ServerUnaryReactor* AdminService::Backup(grpc::CallbackServerContext*,
                                               const v1::BackupRequest* request,
                                               v1::BackupResponse* response) {
  return answer(environment_, backup_, *request, &AdminService::backup, this, request, response);
}

zokio::Task<Reported<>> AdminService::backup(const v1::BackupRequest* request,
                                             v1::BackupResponse* response) {
  auto done = co_await dependencies_.engine->backup(request->name());
  if (!done) co_return model::refuse(done.error());
  response->set_path(done->path);
  response->set_size_bytes(done->bytes);
  response->set_jobs(done->jobs);
  co_return Reported<>();
}

Reported<> AdminService::reload(const v1::ReloadConfigRequest& request,
                                v1::ReloadConfigResponse& response) {
  auto diff = dependencies_.reload(request.validate_only());
  if (!diff) return model::refuse(diff.error());
  for (const auto& change : diff->changes) {
    auto* to = response.add_changes();
    to->set_key(std::string(change.key));
    to->set_from(change.from);
    to->set_to(change.to);
  }
  return {};
}

}  // namespace zokiod::rpc
