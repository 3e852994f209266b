// SPDX-License-Identifier: Apache-2.0
#pragma once

// The connection to zokiod: channel, stubs, deadlines, and the diagnosis of one that fails.
// Thread: stubs from any; the rest one.

#include <grpc/health/v1/health.grpc.pb.h>
#include <grpcpp/grpcpp.h>
#include <zokio/v1/admin_service.grpc.pb.h>
#include <zokio/v1/job_service.grpc.pb.h>
#include <zokio/v1/queue_service.grpc.pb.h>
#include <zokio/v1/runtime_service.grpc.pb.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "failure.h"

namespace zokioctl {

namespace v1 = ::zokio::v1;

// "unix:///run/zokio/zokiod.sock" or "unix:PATH" -> the path; nullopt: another kind of address.
std::optional<std::string> socket_path(const std::string& address);

// Why nobody answers at `address`, from trying once: what is there, whose it is, who we are, what
// to do.
Failure explain_connection(const std::string& address);

class Client {
 public:
  explicit Client(const std::string& address);

  std::shared_ptr<grpc::Channel> channel() { return channel_; }
  v1::JobService::Stub& jobs() { return *jobs_; }
  v1::QueueService::Stub& queues() { return *queues_; }
  v1::RuntimeService::Stub& runtime() { return *runtime_; }
  v1::StatsService::Stub& stats() { return *stats_; }
  v1::AdminService::Stub& admin() { return *admin_; }
  grpc::health::v1::Health::Stub& health() { return *health_; }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::QueueService::Stub> queues_;
  std::unique_ptr<v1::RuntimeService::Stub> runtime_;
  std::unique_ptr<v1::StatsService::Stub> stats_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
  std::unique_ptr<grpc::health::v1::Health::Stub> health_;
};

// A call context that ends after `timeout`; 0: never.
std::unique_ptr<grpc::ClientContext> call_for(std::chrono::nanoseconds timeout);

}  // namespace zokioctl
