// SPDX-License-Identifier: Apache-2.0
#include "rpc/identities.h"

#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_posix.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "rpc/admin_service.h"
#include "rpc/job_service.h"
#include "rpc/queue_service.h"
#include "rpc/runtime_service.h"
#include "zokio/base/assert.h"

#include <grpc/health/v1/health.pb.h>

namespace zokiod::rpc {
namespace {

// Above our own limit, so that a request that is only somewhat too large gets our answer, with its
// size and the name of the setting, and not gRPC's.
int receive_limit(uint64_t limit) {
  constexpr uint64_t kMost = 1u << 30;
  return static_cast<int>(std::min(kMost, limit + (limit >> 1) + (1u << 20)));
}

// Linking the reflection library gives it to every server of the process; this takes it from one.
class WithoutReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins, [](const auto& p) { return p->name() == "proto_server_reflection"; });
  }
};

// Answers every call of every service.
class Denial final : public grpc::CallbackGenericService {
 public:
  explicit Denial(CallStats& stats) : stats_(stats) {}
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    class Reactor final : public grpc::ServerGenericBidiReactor {
     public:
      explicit Reactor(grpc::Status status) { Finish(std::move(status)); }
      void OnDone() override { delete this; }
    };
    stats_.calls_denied.add_shared();
    return new Reactor(to_status(model::make_report(
        zokio::Errc::PermissionDenied, reason::kPeerNotAllowed,
        "this user may not use the socket: neither root, nor the daemon's own user, nor in the "
        "socket's group, nor listed in policy.allowed_uids or policy.allowed_gids")));
  }

 private:
  CallStats& stats_;
};

std::chrono::system_clock::time_point deadline_after(std::chrono::nanoseconds grace) {
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(grace);
}

}  // namespace

class Identities::Endpoint {
 public:
  Endpoint(const ServerOptions& options, const Dependencies& dependencies, CallStats& stats,
           const model::Principal& principal)
      : environment_{dependencies.runtime, &stats, options.message_limit_bytes, principal},
        jobs_(environment_, *dependencies.engine),
        queues_(environment_, *dependencies.engine),
        runtime_(environment_, dependencies),
        stats_(environment_, dependencies),
        admin_(environment_, dependencies, options) {
    // gRPC brings the service without its descriptor; naming ours links it in for reflection.
    ZOKIO_CHECK(grpc::health::v1::HealthCheckRequest::descriptor() != nullptr, "compiled in");
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(receive_limit(options.message_limit_bytes));
    // Reflection is the only service with threads of its own: one is enough.
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
    if (!options.reflection) builder.SetOption(std::make_unique<WithoutReflection>());
    builder.RegisterService(&jobs_);
    builder.RegisterService(&queues_);
    builder.RegisterService(&runtime_);
    builder.RegisterService(&stats_);
    builder.RegisterService(&admin_);
    for (const auto& make : dependencies.more_services) {
      more_.push_back(make(environment_));
      builder.RegisterService(more_.back().get());
    }
    server_ = builder.BuildAndStart();
    ZOKIO_CHECK(server_ != nullptr, "a server without ports cannot fail to start");
  }

  grpc::Server& server() { return *server_; }
  void stop(std::chrono::system_clock::time_point deadline) { server_->Shutdown(deadline); }

 private:
  // The services go after the server that calls them.
  CallEnvironment environment_;
  JobService jobs_;
  QueueService queues_;
  RuntimeService runtime_;
  StatsService stats_;
  AdminService admin_;
  std::vector<std::shared_ptr<grpc::Service>> more_;
  std::unique_ptr<grpc::Server> server_;
};

class Identities::DeniedEndpoint {
 public:
  explicit DeniedEndpoint(CallStats& stats) : denial_(stats) {
    grpc::ServerBuilder builder;
    builder.SetOption(std::make_unique<grpc::HealthCheckServiceServerBuilderOption>(nullptr));
    builder.SetOption(std::make_unique<WithoutReflection>());
    builder.SetMaxReceiveMessageSize(4096);
    builder.RegisterCallbackGenericService(&denial_);
    server_ = builder.BuildAndStart();
    ZOKIO_CHECK(server_ != nullptr, "a server without ports cannot fail to start");
  }
  grpc::Server& server() { return *server_; }

 private:
  Denial denial_;
  std::unique_ptr<grpc::Server> server_;
};

Identities::Identities(const ServerOptions& options, const Dependencies& dependencies,
                       CallStats& stats)
    : options_(options), dependencies_(dependencies), stats_(stats) {
  // Before the first builder. Idempotent, and the reason why the library is linked at all.
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
}

Identities::~Identities() = default;

void Identities::tell_health(Endpoint& endpoint) const {
  auto* health = endpoint.server().GetHealthCheckService();
  ZOKIO_CHECK(health != nullptr, "the default health service is on");
  health->SetServingStatus("", ready_);
  health->SetServingStatus("zokio.v1.JobService", ready_);
  health->SetServingStatus("zokio.live", live_);
}

bool Identities::serve(int fd, const model::Principal& principal) {
  std::scoped_lock lock(mutex_);
  auto& endpoint = endpoints_[{principal.uid, principal.gid}];
  if (!endpoint) {
    if (stopped_ || endpoints_.size() > kIdentitiesMax) {
      endpoints_.erase({principal.uid, principal.gid});
      close(fd);
      return false;
    }
    endpoint = std::make_unique<Endpoint>(options_, dependencies_, stats_, principal);
    tell_health(*endpoint);
  }
  grpc::AddInsecureChannelFromFd(&endpoint->server(), fd);
  return true;
}

void Identities::deny(int fd) {
  std::scoped_lock lock(mutex_);
  if (stopped_) {
    close(fd);
    return;
  }
  if (!denied_) denied_ = std::make_unique<DeniedEndpoint>(stats_);
  grpc::AddInsecureChannelFromFd(&denied_->server(), fd);
}

void Identities::set_ready(bool ready) {
  std::scoped_lock lock(mutex_);
  ready_ = ready;
  for (auto& [key, endpoint] : endpoints_) tell_health(*endpoint);
}

void Identities::set_live(bool live) {
  std::scoped_lock lock(mutex_);
  live_ = live;
  for (auto& [key, endpoint] : endpoints_) tell_health(*endpoint);
}

void Identities::stop(std::chrono::nanoseconds grace) {
  {
    std::scoped_lock lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  // Nothing is added any more. All at once, or the last would wait for the grace of all others.
  const auto deadline = deadline_after(grace);
  std::vector<std::thread> threads;
  for (auto& [key, endpoint] : endpoints_)
    threads.emplace_back([&endpoint, deadline] { endpoint->stop(deadline); });
  if (denied_) denied_->server().Shutdown(std::chrono::system_clock::now());
  for (auto& thread : threads) thread.join();
}

}  // namespace zokiod::rpc
