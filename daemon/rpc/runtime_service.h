// SPDX-License-Identifier: Apache-2.0
#pragma once

// zokio.v1.RuntimeService on RuntimeControl, and zokio.v1.StatsService.

#include <zokio/v1/runtime_service.grpc.pb.h>

#include "rpc/bridge.h"
#include "rpc/server.h"

namespace zokiod::rpc {

namespace v1 = ::zokio::v1;

class RuntimeService final : public v1::RuntimeService::CallbackService {
 public:
  // Both outlive the service.
  RuntimeService(const CallEnvironment& environment, const Dependencies& dependencies);

  grpc::ServerUnaryReactor* GetRuntime(grpc::CallbackServerContext* context,
                                       const v1::GetRuntimeRequest* request,
                                       v1::GetRuntimeResponse* response) override;
  grpc::ServerUnaryReactor* UpdateRuntime(grpc::CallbackServerContext* context,
                                          const v1::UpdateRuntimeRequest* request,
                                          v1::UpdateRuntimeResponse* response) override;

 private:
  zokio::Task<Reported<>> update(const v1::UpdateRuntimeRequest* request,
                                 v1::UpdateRuntimeResponse* response);
  // With the condition that the engine knows.
  v1::Runtime message_of(const RuntimeView& view) const;

  const CallEnvironment& environment_;
  const Dependencies& dependencies_;
  CallStats::Method& get_runtime_;
  CallStats::Method& update_runtime_;
};

class StatsService final : public v1::StatsService::CallbackService {
 public:
  // Both outlive the service.
  StatsService(const CallEnvironment& environment, const Dependencies& dependencies);

  grpc::ServerUnaryReactor* GetStats(grpc::CallbackServerContext* context,
                                     const v1::GetStatsRequest* request,
                                     v1::GetStatsResponse* response) override;

 private:
  const CallEnvironment& environment_;
  const Dependencies& dependencies_;
  CallStats::Method& get_stats_;
};

}  // namespace zokiod::rpc
