// SPDX-License-Identifier: Apache-2.0
#pragma once

// zokio.v1.AdminService: what this daemon is, drain, reload.

#include <zokio/v1/admin_service.grpc.pb.h>

#include "rpc/bridge.h"
#include "rpc/server.h"

namespace zokiod::rpc {

namespace v1 = ::zokio::v1;

class AdminService final : public v1::AdminService::CallbackService {
 public:
  // All outlive the service.
  AdminService(const CallEnvironment& environment, const Dependencies& dependencies,
               const ServerOptions& options);

  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* context,
                                          const v1::GetServerInfoRequest* request,
                                          v1::GetServerInfoResponse* response) override;
  grpc::ServerUnaryReactor* Drain(grpc::CallbackServerContext* context,
                                  const v1::DrainRequest* request,
                                  v1::DrainResponse* response) override;
  grpc::ServerUnaryReactor* ReloadConfig(grpc::CallbackServerContext* context,
                                         const v1::ReloadConfigRequest* request,
                                         v1::ReloadConfigResponse* response) override;
  grpc::ServerUnaryReactor* Backup(grpc::CallbackServerContext* context,
                                   const v1::BackupRequest* request,
                                   v1::BackupResponse* response) override;

 private:
  zokio::Task<Reported<>> backup(const v1::BackupRequest* request, v1::BackupResponse* response);
  void describe(v1::GetServerInfoResponse& out) const;
  zokio::Task<Reported<>> drain(const v1::DrainRequest* request, v1::DrainResponse* response);
  Reported<> reload(const v1::ReloadConfigRequest& request, v1::ReloadConfigResponse& response);

  const CallEnvironment& environment_;
  const Dependencies& dependencies_;
  const ServerOptions& options_;
  CallStats::Method& get_server_info_;
  CallStats::Method& drain_;
  CallStats::Method& reload_config_;
  CallStats::Method& backup_;
};

}  // namespace zokiod::rpc
