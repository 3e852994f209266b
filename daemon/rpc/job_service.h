// SPDX-License-Identifier: Apache-2.0
#pragma once

// zokio.v1.JobService on the job engine.

#include <zokio/v1/job_service.grpc.pb.h>

#include "jobs/engine.h"
#include "rpc/bridge.h"

namespace zokiod::rpc {

namespace v1 = ::zokio::v1;

class JobService final : public v1::JobService::CallbackService {
 public:
  // Both outlive the service.
  JobService(const CallEnvironment& environment, jobs::Engine& engine);

  grpc::ServerUnaryReactor* SubmitJob(grpc::CallbackServerContext* context,
                                      const v1::SubmitJobRequest* request,
                                      v1::SubmitJobResponse* response) override;
  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const v1::GetJobRequest* request,
                                   v1::GetJobResponse* response) override;
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const v1::ListJobsRequest* request,
                                     v1::ListJobsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchJobsResponse>* WatchJobs(
      grpc::CallbackServerContext* context, const v1::WatchJobsRequest* request) override;
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const v1::CancelJobRequest* request,
                                      v1::CancelJobResponse* response) override;
  grpc::ServerUnaryReactor* RequeueJob(grpc::CallbackServerContext* context,
                                       const v1::RequeueJobRequest* request,
                                       v1::RequeueJobResponse* response) override;
  grpc::ServerWriteReactor<v1::ReadJobLogResponse>* ReadJobLog(
      grpc::CallbackServerContext* context, const v1::ReadJobLogRequest* request) override;
  grpc::ServerUnaryReactor* WaitJob(grpc::CallbackServerContext* context,
                                    const v1::WaitJobRequest* request,
                                    v1::WaitJobResponse* response) override;

 private:
  // The messages belong to gRPC and live until the call has ended.
  zokio::Task<Reported<>> submit(const v1::SubmitJobRequest* request,
                                 v1::SubmitJobResponse* response);
  zokio::Task<Reported<>> cancel(const v1::CancelJobRequest* request,
                                 v1::CancelJobResponse* response);
  zokio::Task<Reported<>> requeue(const v1::RequeueJobRequest* request,
                                  v1::RequeueJobResponse* response);
  zokio::Task<Reported<>> wait(const v1::WaitJobRequest* request, v1::WaitJobResponse* response);
  zokio::Task<Reported<>> watch(const v1::WatchJobsRequest* request,
                                StreamCall<v1::WatchJobsResponse>* out);
  zokio::Task<Reported<>> read_log(const v1::ReadJobLogRequest* request,
                                   StreamCall<v1::ReadJobLogResponse>* out);
  Reported<> list(const v1::ListJobsRequest& request, v1::ListJobsResponse& response) const;

  const CallEnvironment& environment_;
  jobs::Engine& engine_;
  CallStats::Method& submit_job_;
  CallStats::Method& get_job_;
  CallStats::Method& list_jobs_;
  CallStats::Method& watch_jobs_;
  CallStats::Method& cancel_job_;
  CallStats::Method& requeue_job_;
  CallStats::Method& read_job_log_;
  CallStats::Method& wait_job_;
};

}  // namespace zokiod::rpc
