// SPDX-License-Identifier: Apache-2.0
#include "rpc/runtime_service.h"

#include "rpc/convert.h"
#include "rpc/convert_stats.h"

namespace zokiod::rpc {

RuntimeService::RuntimeService(const CallEnvironment& environment, const Dependencies& dependencies)
    : environment_(environment),
      dependencies_(dependencies),
      get_runtime_(environment.stats->method("zokio.v1.RuntimeService", "GetRuntime")),
      update_runtime_(environment.stats->method("zokio.v1.RuntimeService", "UpdateRuntime")) {}

v1::Runtime RuntimeService::message_of(const RuntimeView& view) const {
  v1::Runtime out = to_proto(view);
  const auto drain = dependencies_.engine->drain_status();
  auto* condition = out.add_conditions();
  condition->set_type("Draining");
  const bool draining = drain.state != jobs::EngineState::Serving;
  condition->set_status(draining ? v1::Condition::STATUS_TRUE : v1::Condition::STATUS_FALSE);
  condition->set_reason(draining ? std::string(model::reason::kDraining) : "SERVING");
  condition->set_message(drain.reason);
  return out;
}

grpc::ServerUnaryReactor* RuntimeService::GetRuntime(grpc::CallbackServerContext*,
                                                     const v1::GetRuntimeRequest* request,
                                                     v1::GetRuntimeResponse* response) {
  return answer_now(environment_, get_runtime_, *request, [&]() -> Reported<> {
    *response->mutable_runtime() = message_of(dependencies_.control->view());
    return {};
  });
}

grpc::ServerUnaryReactor* RuntimeService::UpdateRuntime(grpc::CallbackServerContext*,
                                                        const v1::UpdateRuntimeRequest* request,
                                                        v1::UpdateRuntimeResponse* response) {
  return answer(environment_, update_runtime_, *request, &RuntimeService::update, this, request,
                response);
}

zokio::Task<Reported<>> RuntimeService::update(const v1::UpdateRuntimeRequest* request,
                                               v1::UpdateRuntimeResponse* response) {
  auto wanted = from_proto(*request);
  if (!wanted) co_return model::refuse(wanted.error());
  auto done = co_await dependencies_.control->update(*std::move(wanted));
  if (!done) co_return model::refuse(done.error());
  *response->mutable_runtime() = message_of(done->view);
  for (const auto& change : done->changes) *response->add_changes() = to_proto(change);
  co_return Reported<>();
}

StatsService::StatsService(const CallEnvironment& environment, const Dependencies& dependencies)
    : environment_(environment),
      dependencies_(dependencies),
      get_stats_(environment.stats->method("zokio.v1.StatsService", "GetStats")) {}

grpc::ServerUnaryReactor* StatsService::GetStats(grpc::CallbackServerContext*,
                                                 const v1::GetStatsRequest* request,
                                                 v1::GetStatsResponse* response) {
  return answer_now(environment_, get_stats_, *request, [&]() -> Reported<> {
    v1::Stats& stats = *response->mutable_stats();
    set_time(*stats.mutable_time(), model::WallTime::now());
    write_runtime(stats, dependencies_.runtime->stats());
    write_jobs(*stats.mutable_jobs(), dependencies_.engine->stats());
    write_process(*stats.mutable_process(), dependencies_.process());
    write_rpc(*stats.mutable_rpc(), environment_.stats->snapshot());
    return {};
  });
}

}  // namespace zokiod::rpc
