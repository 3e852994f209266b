// SPDX-License-Identifier: Apache-2.0
#include "rpc/queue_service.h"

#include "rpc/convert_queue.h"

namespace zokiod::rpc {
namespace {
constexpr const char* kService = "zokio.v1.QueueService";
}  // namespace

QueueService::QueueService(const CallEnvironment& environment, jobs::Engine& engine)
    : environment_(environment),
      engine_(engine),
      create_queue_(environment.stats->method(kService, "CreateQueue")),
      get_queue_(environment.stats->method(kService, "GetQueue")),
      list_queues_(environment.stats->method(kService, "ListQueues")),
      update_queue_(environment.stats->method(kService, "UpdateQueue")),
      delete_queue_(environment.stats->method(kService, "DeleteQueue")),
      purge_queue_(environment.stats->method(kService, "PurgeQueue")) {}

grpc::ServerUnaryReactor* QueueService::CreateQueue(grpc::CallbackServerContext*,
                                                    const v1::CreateQueueRequest* request,
                                                    v1::CreateQueueResponse* response) {
  return answer(environment_, create_queue_, *request, &QueueService::create, this, request,
                response);
}

zokio::Task<Reported<>> QueueService::create(const v1::CreateQueueRequest* request,
                                             v1::CreateQueueResponse* response) {
  auto patch = from_proto(request->settings());
  if (!patch) co_return model::refuse(patch.error());
  model::QueueSpec spec;
  spec.name = request->name();
  auto made = co_await engine_.create_queue(patch->applied_to(std::move(spec)));
  if (!made) co_return model::refuse(made.error());
  *response->mutable_queue() = to_proto(*made);
  co_return Reported<>();
}

grpc::ServerUnaryReactor* QueueService::GetQueue(grpc::CallbackServerContext*,
                                                 const v1::GetQueueRequest* request,
                                                 v1::GetQueueResponse* response) {
  return answer_now(environment_, get_queue_, *request, [&]() -> Reported<> {
    auto queue = engine_.queue(request->name());
    if (!queue) return model::refuse(queue.error());
    *response->mutable_queue() = to_proto(*queue);
    return {};
  });
}

grpc::ServerUnaryReactor* QueueService::ListQueues(grpc::CallbackServerContext*,
                                                   const v1::ListQueuesRequest* request,
                                                   v1::ListQueuesResponse* response) {
  return answer_now(environment_, list_queues_, *request, [&]() -> Reported<> {
    for (const auto& queue : engine_.queues()) *response->add_queues() = to_proto(queue);
    return {};
  });
}

grpc::ServerUnaryReactor* QueueService::UpdateQueue(grpc::CallbackServerContext*,
                                                    const v1::UpdateQueueRequest* request,
                                                    v1::UpdateQueueResponse* response) {
  return answer(environment_, update_queue_, *request, &QueueService::update, this, request,
                response);
}

zokio::Task<Reported<>> QueueService::update(const v1::UpdateQueueRequest* request,
                                             v1::UpdateQueueResponse* response) {
  auto patch = from_proto(request->settings());
  if (!patch) co_return model::refuse(patch.error());
  auto changed = co_await engine_.update_queue(request->name(), *patch);
  if (!changed) co_return model::refuse(changed.error());
  *response->mutable_queue() = to_proto(*changed);
  co_return Reported<>();
}

grpc::ServerUnaryReactor* QueueService::DeleteQueue(grpc::CallbackServerContext*,
                                                    const v1::DeleteQueueRequest* request,
                                                    v1::DeleteQueueResponse*) {
  return answer(environment_, delete_queue_, *request, &QueueService::remove, this, request);
}

zokio::Task<Reported<>> QueueService::remove(const v1::DeleteQueueRequest* request) {
  co_return co_await engine_.remove_queue(request->name());
}

grpc::ServerUnaryReactor* QueueService::PurgeQueue(grpc::CallbackServerContext*,
                                                   const v1::PurgeQueueRequest* request,
                                                   v1::PurgeQueueResponse* response) {
  return answer(environment_, purge_queue_, *request, &QueueService::purge, this, request,
                response);
}

zokio::Task<Reported<>> QueueService::purge(const v1::PurgeQueueRequest* request,
                                            v1::PurgeQueueResponse* response) {
  auto cancelled = co_await engine_.purge_queue(request->name());
  if (!cancelled) co_return model::refuse(cancelled.error());
  response->set_cancelled(*cancelled);
  co_return Reported<>();
}

}  // namespace zokiod::rpc
