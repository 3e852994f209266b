// SPDX-License-Identifier: Apache-2.0
// JobService: GetJob, ListJobs, CancelJob, WaitJob and ReadJobLog against a real zokiod.
#include <set>

#include "rpc_fixture.h"

namespace zokio::test {
namespace {

constexpr const char* kNobodysId = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

using Jobs = RpcTest;

TEST_F(Jobs, GetJobShowsTheWholeRecord) {
  v1::JobSpec spec = exec_spec({"true"});
  spec.set_priority(5);
  spec.mutable_timeout()->set_seconds(60);
  (*spec.mutable_labels())["team"] = "a";
  const auto job = must_wait(must_submit(spec));
  const auto got = must_get(job.id());
  EXPECT_EQ(got.spec().kind(), "exec");
  EXPECT_EQ(got.spec().priority(), 5);
  EXPECT_EQ(got.spec().timeout().seconds(), 60);
  EXPECT_EQ(got.spec().labels().at("team"), "a");
  EXPECT_EQ(got.attempt(), 1u);
  EXPECT_TRUE(got.has_create_time() && got.has_start_time() && got.has_finish_time());
}

TEST_F(Jobs, UnknownIdIsNotFoundEverywhere) {
  v1::GetJobRequest get;
  get.set_id(kNobodysId);
  v1::GetJobResponse got;
  v1::CancelJobRequest cancel;
  cancel.set_id(kNobodysId);
  v1::CancelJobResponse cancelled;
  v1::WaitJobRequest wait;
  wait.set_id(kNobodysId);
  v1::WaitJobResponse waited;
  v1::ReadJobLogRequest log;
  log.set_id(kNobodysId);
  v1::ReadJobLogResponse chunk;
  auto context = call();
  auto reader = jobs_->ReadJobLog(context.get(), log);
  EXPECT_FALSE(reader->Read(&chunk));
  for (const auto& status :
       {jobs_->GetJob(call().get(), get, &got), jobs_->CancelJob(call().get(), cancel, &cancelled),
        jobs_->WaitJob(call().get(), wait, &waited), reader->Finish()}) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND) << status.error_message();
    EXPECT_EQ(details_of(status).reason, "JOB_NOT_FOUND");
    EXPECT_EQ(details_of(status).domain, "zokio.dev");
  }
}

TEST_F(Jobs, ListJobsPagesThroughAllNewestFirst) {
  std::vector<std::string> ids;
  for (int i = 0; i < 25; ++i) ids.push_back(must_submit(spawn_spec(1, static_cast<uint64_t>(i))));
  for (const auto& id : ids) must_wait(id);
  std::vector<std::string> seen;
  v1::ListJobsRequest request;
  request.set_page_size(10);
  for (int page = 0; page < 4; ++page) {
    v1::ListJobsResponse response;
    ASSERT_TRUE(jobs_->ListJobs(call().get(), request, &response).ok());
    EXPECT_LE(response.jobs_size(), 10);
    for (const auto& job : response.jobs()) seen.push_back(job.id());
    request.set_page_token(response.next_page_token());
    if (response.next_page_token().empty()) break;
  }
  EXPECT_EQ(seen, std::vector<std::string>(ids.rbegin(), ids.rend()));
}

TEST_F(Jobs, ListJobsFilters) {
  v1::JobSpec labelled = exec_spec({"true"});
  (*labelled.mutable_labels())["team"] = "a";
  const auto a = must_submit(labelled);
  const auto b = must_submit(exec_spec({"false"}));
  const auto c = must_submit(spawn_spec(1));
  for (const auto& id : {a, b, c}) must_wait(id);
  auto ids = [&](const v1::ListJobsRequest& request) {
    v1::ListJobsResponse response;
    EXPECT_TRUE(jobs_->ListJobs(call().get(), request, &response).ok());
    std::set<std::string> out;
    for (const auto& job : response.jobs()) out.insert(job.id());
    return out;
  };
  v1::ListJobsRequest request;
  request.set_kind("exec");
  EXPECT_EQ(ids(request), (std::set<std::string>{a, b}));
  request.add_states(v1::JOB_STATE_FAILED);
  EXPECT_EQ(ids(request), std::set<std::string>{b});
  request = {};
  (*request.mutable_labels())["team"] = "a";
  EXPECT_EQ(ids(request), std::set<std::string>{a});
}

TEST_F(Jobs, ListJobsRefusesATokenThatIsNone) {
  v1::ListJobsRequest request;
  request.set_page_token("xyz");
  v1::ListJobsResponse response;
  const auto status = jobs_->ListJobs(call().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(details_of(status).fields, std::vector<std::string>{"page_token"});
}

TEST_F(Jobs, CancelJobEndsARunningCommand) {
  const auto id = must_submit(exec_spec({"sleep", "600"}));
  v1::CancelJobRequest request;
  request.set_id(id);
  v1::CancelJobResponse response;
  ASSERT_TRUE(jobs_->CancelJob(call().get(), request, &response).ok());
  EXPECT_EQ(must_wait(id).state(), v1::JOB_STATE_CANCELLED);
  // Again: returned as it is.
  ASSERT_TRUE(jobs_->CancelJob(call().get(), request, &response).ok());
  EXPECT_EQ(response.job().state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(Jobs, WaitJobGivesUpWhenToldTo) {
  const auto id = must_submit(exec_spec({"sleep", "600"}));
  v1::WaitJobRequest request;
  request.set_id(id);
  request.mutable_timeout()->set_nanos(50'000'000);
  v1::WaitJobResponse response;
  const auto status = jobs_->WaitJob(call().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(details_of(status).reason, "WAIT_TIMED_OUT");
}

TEST_F(Jobs, AClientThatLeavesEndsItsCallAndNotTheJob) {
  const auto id = must_submit(exec_spec({"sleep", "600"}));
  v1::WaitJobRequest request;
  request.set_id(id);
  v1::WaitJobResponse response;
  const auto status = jobs_->WaitJob(call(std::chrono::milliseconds(50)).get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  // The call ends on the server, too: only this one (GetStats) is left.
  const auto deadline = std::chrono::steady_clock::now() + kCallMax;
  uint64_t active = 0;
  do {
    active = must_get_stats().rpc().calls_active();
  } while (active > 1 && std::chrono::steady_clock::now() < deadline);
  EXPECT_EQ(active, 1u);
  EXPECT_LE(must_get(id).state(), v1::JOB_STATE_RUNNING);
}

TEST_F(Jobs, ReadJobLogFollowsToTheEnd) {
  const auto id =
      must_submit(exec_spec({"sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done; echo e >&2"}));
  v1::ReadJobLogRequest request;
  request.set_id(id);
  request.set_follow(true);
  auto context = call();
  auto reader = jobs_->ReadJobLog(context.get(), request);
  std::string text;
  bool end = false;
  v1::ReadJobLogResponse chunk;
  while (reader->Read(&chunk)) {
    EXPECT_EQ(chunk.attempt(), 1u);
    EXPECT_EQ(chunk.offset_bytes(), text.size());
    text += chunk.data();
    end = chunk.end();
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_TRUE(end);
  for (const char* line : {"line 1\n", "line 5\n", "e\n"})
    EXPECT_NE(text.find(line), std::string::npos) << text;
}

TEST_F(Jobs, ReadJobLogOfAFinishedJobEndsByItself) {
  const auto id = must_submit(exec_spec({"echo", "hello"}));
  must_wait(id);
  v1::ReadJobLogRequest request;
  request.set_id(id);
  auto context = call();
  auto reader = jobs_->ReadJobLog(context.get(), request);
  v1::ReadJobLogResponse chunk;
  std::string text;
  while (reader->Read(&chunk)) text += chunk.data();
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(text, "hello\n");
}

TEST_F(RpcTest, FailedJobIsRequeuedAndAWaitingOneShowsWhatItWaitsFor) {
  const auto failed = must_wait(must_submit(exec_spec({"false"})));
  EXPECT_EQ(failed.state(), v1::JOB_STATE_FAILED);
  auto spec = exec_spec({"true"});
  spec.add_after(failed.id());
  spec.set_on_dependency_failure(v1::ON_DEPENDENCY_FAILURE_RUN);
  spec.mutable_delay()->set_seconds(3600);
  const auto id = must_submit(spec);
  const auto waiting = must_get(id);
  EXPECT_EQ(waiting.state(), v1::JOB_STATE_WAITING);
  EXPECT_EQ(waiting.spec().after(0), failed.id());
  EXPECT_TRUE(waiting.has_not_before());
  v1::RequeueJobRequest request;
  v1::RequeueJobResponse response;
  request.set_id(id);
  ASSERT_TRUE(jobs_->RequeueJob(call().get(), request, &response).ok());
  EXPECT_EQ(must_wait(id).state(), v1::JOB_STATE_SUCCEEDED);
  request.set_id(failed.id());
  ASSERT_TRUE(jobs_->RequeueJob(call().get(), request, &response).ok());
  const auto again = must_wait(failed.id());
  EXPECT_EQ(again.attempt(), 2u);
  request.set_id(id);
  EXPECT_EQ(details_of(jobs_->RequeueJob(call().get(), request, &response)).reason, "JOB_FINISHED");
}

}  // namespace
}  // namespace zokio::test
