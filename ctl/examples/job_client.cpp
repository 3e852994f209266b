// SPDX-License-Identifier: Apache-2.0

// Hands commands to zokiod as durable jobs, all at once, and says how each ended. A task waits for
// each answer of gRPC like for anything else: a oneshot carries it over from gRPC's thread.
//   job_client ADDRESS COMMAND...

#include <grpcpp/grpcpp.h>
#include <zokio/v1/job_service.grpc.pb.h>

#include <cstdio>

#include "zokio/sync/oneshot.h"
#include "zokio/zokio.h"

using namespace zokio;
using Async = v1::JobService::StubInterface::async_interface;

// Alive until gRPC and the task are both done with it.
template <class Request, class Response>
struct Call {
  grpc::ClientContext context;
  Request request;
  Response response;
  sync::OneshotSender<grpc::Status> done;
};

// What `call` answers. A task that is cancelled takes the request back.
template <class Request, class Response>
Task<grpc::Status> answer(std::shared_ptr<Call<Request, Response>> call, v1::JobService::Stub* stub,
                          void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                std::function<void(grpc::Status)>)) {
  auto [sender, receiver] = sync::oneshot<grpc::Status>();
  call->done = std::move(sender);
  (stub->async()->*method)(&call->context, &call->request, &call->response,
                           [call](grpc::Status status) { call->done.send(std::move(status)); });
  auto status = co_await receiver;
  if (!status.has_value()) call->context.TryCancel();
  co_return status.value_or(grpc::Status::CANCELLED);
}

Task<bool> run(v1::JobService::Stub* stub, std::string command) {
  auto submit = std::make_shared<Call<v1::SubmitJobRequest, v1::SubmitJobResponse>>();
  v1::ExecSpec& exec = *submit->request.mutable_spec()->mutable_exec();
  for (const char* word : {"/bin/sh", "-c"}) exec.add_argv(word);
  exec.add_argv(command);
  grpc::Status status = co_await answer(submit, stub, &Async::SubmitJob);
  auto wait = std::make_shared<Call<v1::WaitJobRequest, v1::WaitJobResponse>>();
  if (status.ok()) {
    // The job is durable now: it would run also if this program, or zokiod, ended here.
    wait->request.set_id(submit->response.job().id());
    status = co_await answer(wait, stub, &Async::WaitJob);
  }
  if (!status.ok()) {
    std::printf("%s: %s\n", command.c_str(), status.error_message().c_str());
    co_return false;
  }
  const v1::Job& job = wait->response.job();
  std::printf("%s: %s %s, exit code %d\n", command.c_str(), job.id().c_str(),
              v1::JobState_Name(job.state()).c_str(), job.result().exec().exit_code());
  co_return job.state() == v1::JOB_STATE_SUCCEEDED;
}

Task<int> run_all(v1::JobService::Stub* stub, std::vector<std::string> commands) {
  std::vector<JoinHandle<bool>> jobs;
  for (auto& command : commands) jobs.push_back(spawn(&run, stub, std::move(command)));
  int failed = 0;
  for (auto& job : jobs) failed += (co_await job).value_or(false) ? 0 : 1;
  co_return failed;
}

int main(int argc, char** argv) {
  auto runtime = Runtime::create();
  if (argc < 3 || !runtime.has_value()) return 2;
  const auto stub =
      v1::JobService::NewStub(grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));
  const std::vector<std::string> commands(argv + 2, argv + argc);
  return (*runtime)->block_on(&run_all, stub.get(), commands).value_or(1);
}
