// SPDX-License-Identifier: Apache-2.0
#pragma once

// A zokiod for each test, with stubs on its socket. Thread: one.

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <zokio/v1/admin_service.grpc.pb.h>
#include <zokio/v1/job_service.grpc.pb.h>
#include <zokio/v1/runtime_service.grpc.pb.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "daemon_process.h"

namespace zokio::test {

namespace v1 = ::zokio::v1;

// For calls that must end: far more than they need, so that a loaded machine is not an error.
inline constexpr std::chrono::seconds kCallMax{60};

inline std::unique_ptr<grpc::ClientContext> call(std::chrono::milliseconds limit = kCallMax) {
  auto out = std::make_unique<grpc::ClientContext>();
  out->set_deadline(std::chrono::system_clock::now() + limit);
  return out;
}

// What the details of an error say.
struct Details {
  std::string reason;
  std::string domain;
  std::map<std::string, std::string> metadata;
  std::vector<std::string> fields;    // of BadRequest
  std::vector<std::string> subjects;  // of PreconditionFailure
};

inline Details details_of(const grpc::Status& status) {
  Details out;
  google::rpc::Status rich;
  rich.ParseFromString(status.error_details());
  for (const auto& any : rich.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad;
    google::rpc::PreconditionFailure failure;
    if (any.UnpackTo(&info)) {
      out.reason = info.reason();
      out.domain = info.domain();
      out.metadata = {info.metadata().begin(), info.metadata().end()};
    } else if (any.UnpackTo(&bad)) {
      for (const auto& violation : bad.field_violations()) out.fields.push_back(violation.field());
    } else if (any.UnpackTo(&failure)) {
      for (const auto& violation : failure.violations())
        out.subjects.push_back(violation.subject());
    }
  }
  return out;
}

inline v1::JobSpec exec_spec(std::vector<std::string> argv) {
  v1::JobSpec out;
  out.mutable_exec()->mutable_argv()->Assign(argv.begin(), argv.end());
  return out;
}

inline v1::JobSpec spawn_spec(uint64_t tasks, uint64_t seed = 1) {
  v1::JobSpec out;
  out.mutable_synthetic_spawn()->set_tasks(tasks);
  out.mutable_synthetic_spawn()->set_seed(seed);
  return out;
}

class RpcTest : public ::testing::Test {
 protected:
  // Tests that need other options set them before.
  void start(DaemonProcess::Options options = {}) {
    daemon_ = std::make_unique<DaemonProcess>(std::move(options));
    ASSERT_TRUE(daemon_->start()) << daemon_->log();
    connect();
  }
  void SetUp() override { start(); }

  void connect() {
    // A channel of its own: gRPC shares connections between equal ones.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxSendMessageSize(-1);
    channel_ = grpc::CreateCustomChannel(daemon_->address(), grpc::InsecureChannelCredentials(),
                                         arguments);
    jobs_ = v1::JobService::NewStub(channel_);
    runtime_ = v1::RuntimeService::NewStub(channel_);
    stats_ = v1::StatsService::NewStub(channel_);
    admin_ = v1::AdminService::NewStub(channel_);
  }

  grpc::Status submit(const v1::JobSpec& spec, v1::Job& job, const std::string& request_id = "") {
    v1::SubmitJobRequest request;
    *request.mutable_spec() = spec;
    request.set_request_id(request_id);
    v1::SubmitJobResponse response;
    const auto status = jobs_->SubmitJob(call().get(), request, &response);
    job = response.job();
    return status;
  }
  // The id; fails the test when it is refused.
  std::string must_submit(const v1::JobSpec& spec) {
    v1::Job job;
    const auto status = submit(spec, job);
    EXPECT_TRUE(status.ok()) << status.error_message() << daemon_->log();
    return job.id();
  }
  v1::Job must_wait(const std::string& id) {
    v1::WaitJobRequest request;
    request.set_id(id);
    v1::WaitJobResponse response;
    const auto status = jobs_->WaitJob(call().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.job();
  }
  v1::Job must_get(const std::string& id) {
    v1::GetJobRequest request;
    request.set_id(id);
    v1::GetJobResponse response;
    const auto status = jobs_->GetJob(call().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.job();
  }
  v1::Runtime must_get_runtime() {
    v1::GetRuntimeResponse response;
    const auto status = runtime_->GetRuntime(call().get(), {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.runtime();
  }
  v1::Stats must_get_stats() {
    v1::GetStatsResponse response;
    const auto status = stats_->GetStats(call().get(), {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.stats();
  }

  std::unique_ptr<DaemonProcess> daemon_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::RuntimeService::Stub> runtime_;
  std::unique_ptr<v1::StatsService::Stub> stats_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
};

}  // namespace zokio::test
