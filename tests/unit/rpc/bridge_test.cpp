// SPDX-License-Identifier: Apache-2.0
// The bridge between gRPC and coroutines, on a real server in this process.
#include "rpc/bridge.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <gtest/gtest.h>
#include <zokio/v1/job_service.grpc.pb.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>

#include "zokio/sync/event.h"
#include "zokio/time/sleep.h"

namespace zokiod::rpc {
namespace {

namespace v1 = ::zokio::v1;

std::string reason_of(const grpc::Status& status) {
  google::rpc::Status rich;
  google::rpc::ErrorInfo info;
  if (rich.ParseFromString(status.error_details()) && rich.details_size() > 0)
    rich.details(0).UnpackTo(&info);
  return info.reason();
}

struct Seen {
  std::atomic<int> cancelled{0};
  std::atomic<int> written{0};
  zokio::sync::Event never;
};

// The id of a GetJob says what the handler does.
class Service final : public v1::JobService::CallbackService {
 public:
  Service(const CallEnvironment& environment, Seen& seen)
      : environment_(environment), seen_(seen), method_(environment.stats->method("s", "m")) {}

  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext*, const v1::GetJobRequest* request,
                                   v1::GetJobResponse* response) override {
    return answer(environment_, method_, *request, &Service::get, this, request, response);
  }
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext*,
                                      const v1::CancelJobRequest* request,
                                      v1::CancelJobResponse*) override {
    return answer_now(environment_, method_, *request, [&]() -> Reported<> {
      if (request->id() == "throw") throw std::runtime_error("boom");
      return {};
    });
  }
  grpc::ServerWriteReactor<v1::WatchJobsResponse>* WatchJobs(
      grpc::CallbackServerContext*, const v1::WatchJobsRequest* request) override {
    return answer_stream<v1::WatchJobsResponse>(environment_, method_, *request, &Service::watch,
                                                this, request);
  }

 private:
  zokio::Task<Reported<>> get(const v1::GetJobRequest* request, v1::GetJobResponse* response) {
    if (request->id() == "throw") throw std::runtime_error("boom");
    if (request->id() == "throw-int") throw 7;
    if (request->id() == "refuse")
      co_return model::refuse(zokio::Errc::NotFound, "JOB_NOT_FOUND", "no such job");
    if (request->id() == "wait") {
      auto waited = co_await seen_.never.wait();
      if (!waited) seen_.cancelled.fetch_add(1);
      co_return model::refuse(zokio::Errc::Cancelled, "CANCELLED", "gone");
    }
    (void)co_await zokio::sleep(std::chrono::milliseconds(1));
    response->mutable_job()->set_id(request->id());
    co_return Reported<>();
  }

  zokio::Task<Reported<>> watch(const v1::WatchJobsRequest* request,
                                StreamCall<v1::WatchJobsResponse>* out) {
    for (uint64_t i = 0; request->start_revision() == 0 || i < request->start_revision(); ++i) {
      v1::WatchJobsResponse item;
      item.mutable_event()->set_revision(i);
      item.mutable_event()->set_job_id(std::string(1000, 'x'));
      auto written = co_await out->write(std::move(item));
      if (!written) {
        seen_.cancelled.fetch_add(1);
        co_return model::refuse(zokio::Errc::Cancelled, "CANCELLED", "gone");
      }
      seen_.written.fetch_add(1);
      if (request->kind() == "throw" && i == 3) throw std::runtime_error("boom");
    }
    co_return Reported<>();
  }

  const CallEnvironment& environment_;
  Seen& seen_;
  CallStats::Method& method_;
};

class Bridge : public ::testing::Test {
 protected:
  void SetUp() override {
    zokio::RuntimeOptions options;
    options.workers = 2;
    options.reactors = 1;
    auto made = zokio::Runtime::create(options);
    ASSERT_TRUE(made);
    runtime_ = *std::move(made);
    environment_ = {runtime_.get(), &stats_, 1000, {}};
    service_ = std::make_unique<Service>(environment_, seen_);
    grpc::ServerBuilder builder;
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    stub_ = v1::JobService::NewStub(server_->InProcessChannel({}));
  }
  void TearDown() override {
    server_->Shutdown(std::chrono::system_clock::now());
    EXPECT_EQ(stats_.calls_active.load(), 0u) << "every call ended";
  }
  grpc::Status get(const std::string& id,
                   std::chrono::milliseconds limit = std::chrono::minutes(1)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + limit);
    v1::GetJobRequest request;
    request.set_id(id);
    return stub_->GetJob(&context, request, &response_);
  }
  // False when it did not come true within a minute.
  template <class F>
  static bool eventually(F f) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!f()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::unique_ptr<zokio::Runtime> runtime_;
  CallStats stats_;
  Seen seen_;
  CallEnvironment environment_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::JobService::Stub> stub_;
  v1::GetJobResponse response_;
};

TEST_F(Bridge, AnswersFromACoroutine) {
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(get("a" + std::to_string(i)).ok());
    EXPECT_EQ(response_.job().id(), "a" + std::to_string(i));
  }
  const auto figures = stats_.snapshot();
  // The last record may still be on its way: it is made after the answer.
  EXPECT_GE(figures.methods[0].handled[0], 199u);
}

TEST_F(Bridge, ARefusalKeepsItsReason) {
  const auto status = get("refuse");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(reason_of(status), "JOB_NOT_FOUND");
}

TEST_F(Bridge, NoExceptionPassesTheFence) {
  for (const char* id : {"throw", "throw-int"}) {
    const auto status = get(id);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL) << id;
    EXPECT_EQ(reason_of(status), "UNCAUGHT_EXCEPTION") << id;
  }
  grpc::ClientContext context;
  v1::CancelJobRequest request;
  request.set_id("throw");
  v1::CancelJobResponse response;
  const auto now = stub_->CancelJob(&context, request, &response);
  EXPECT_EQ(reason_of(now), "UNCAUGHT_EXCEPTION");
  EXPECT_NE(now.error_message().find("boom"), std::string::npos);
  grpc::ClientContext other;
  v1::WatchJobsRequest watch;
  watch.set_kind("throw");
  auto reader = stub_->WatchJobs(&other, watch);
  v1::WatchJobsResponse item;
  int items = 0;
  while (reader->Read(&item)) ++items;
  EXPECT_EQ(items, 4);
  EXPECT_EQ(reason_of(reader->Finish()), "UNCAUGHT_EXCEPTION");
  EXPECT_TRUE(get("still here").ok());
}

TEST_F(Bridge, AClientThatLeavesCancelsTheTask) {
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(get("wait", std::chrono::milliseconds(i)).error_code(),
              grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(eventually([&] { return stats_.calls_active.load() == 0; }));
}

TEST_F(Bridge, TooLargeIsSaidWithTheSize) {
  const auto status = get(std::string(2000, 'x'));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(reason_of(status), "REQUEST_TOO_LARGE");
}

TEST_F(Bridge, StreamsInOrderToTheEnd) {
  grpc::ClientContext context;
  v1::WatchJobsRequest request;
  request.set_start_revision(2000);
  auto reader = stub_->WatchJobs(&context, request);
  v1::WatchJobsResponse item;
  uint64_t next = 0;
  while (reader->Read(&item)) EXPECT_EQ(item.event().revision(), next++);
  EXPECT_EQ(next, 2000u);
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(Bridge, AReaderThatStopsHoldsTheWriterAndThenEndsIt) {
  grpc::ClientContext context;
  auto reader = stub_->WatchJobs(&context, {});  // without an end
  v1::WatchJobsResponse item;
  ASSERT_TRUE(reader->Read(&item));
  context.TryCancel();
  while (reader->Read(&item)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(eventually([&] { return seen_.cancelled.load() == 1; }));
}

TEST_F(Bridge, StreamsCutAtAnyMoment) {
  for (int i = 0; i < 50; ++i) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::microseconds(i * 200));
    auto reader = stub_->WatchJobs(&context, {});
    v1::WatchJobsResponse item;
    while (reader->Read(&item)) {
    }
    EXPECT_FALSE(reader->Finish().ok());
  }
  EXPECT_TRUE(eventually([&] { return stats_.calls_active.load() == 0; }));
}

}  // namespace
}  // namespace zokiod::rpc
