// SPDX-License-Identifier: Apache-2.0
#pragma once

// zokio.v1.QueueService on the job engine.

#include <zokio/v1/queue_service.grpc.pb.h>

#include "jobs/engine.h"
#include "rpc/bridge.h"

namespace zokiod::rpc {

namespace v1 = ::zokio::v1;

class QueueService final : public v1::QueueService::CallbackService {
 public:
  // Both outlive the service.
  QueueService(const CallEnvironment& environment, jobs::Engine& engine);

  grpc::ServerUnaryReactor* CreateQueue(grpc::CallbackServerContext* context,
                                        const v1::CreateQueueRequest* request,
                                        v1::CreateQueueResponse* response) override;
  grpc::ServerUnaryReactor* GetQueue(grpc::CallbackServerContext* context,
                                     const v1::GetQueueRequest* request,
                                     v1::GetQueueResponse* response) override;
  grpc::ServerUnaryReactor* ListQueues(grpc::CallbackServerContext* context,
                                       const v1::ListQueuesRequest* request,
                                       v1::ListQueuesResponse* response) override;
  grpc::ServerUnaryReactor* UpdateQueue(grpc::CallbackServerContext* context,
                                        const v1::UpdateQueueRequest* request,
                                        v1::UpdateQueueResponse* response) override;
  grpc::ServerUnaryReactor* DeleteQueue(grpc::CallbackServerContext* context,
                                        const v1::DeleteQueueRequest* request,
                                        v1::DeleteQueueResponse* response) override;
  grpc::ServerUnaryReactor* PurgeQueue(grpc::CallbackServerContext* context,
                                       const v1::PurgeQueueRequest* request,
                                       v1::PurgeQueueResponse* response) override;

 private:
  zokio::Task<Reported<>> create(const v1::CreateQueueRequest* request,
                                 v1::CreateQueueResponse* response);
  zokio::Task<Reported<>> update(const v1::UpdateQueueRequest* request,
                                 v1::UpdateQueueResponse* response);
  zokio::Task<Reported<>> remove(const v1::DeleteQueueRequest* request);
  zokio::Task<Reported<>> purge(const v1::PurgeQueueRequest* request,
                                v1::PurgeQueueResponse* response);

  const CallEnvironment& environment_;
  jobs::Engine& engine_;
  CallStats::Method& create_queue_;
  CallStats::Method& get_queue_;
  CallStats::Method& list_queues_;
  CallStats::Method& update_queue_;
  CallStats::Method& delete_queue_;
  CallStats::Method& purge_queue_;
};

}  // namespace zokiod::rpc
