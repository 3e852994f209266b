// SPDX-License-Identifier: Apache-2.0
// JobService.SubmitJob against a real zokiod.
#include <fstream>

#include "rpc_fixture.h"

namespace zokio::test {
namespace {

using SubmitJob = RpcTest;

TEST_F(SubmitJob, EveryKindRunsToItsResult) {
  std::ofstream(daemon_->data_dir() + "/a") << "hello";
  v1::JobSpec checksum;
  checksum.mutable_file_checksum()->set_path(daemon_->data_dir());
  v1::JobSpec copy;
  copy.mutable_file_copy()->set_source(daemon_->data_dir() + "/a");
  copy.mutable_file_copy()->set_destination(daemon_->data_dir() + "/b");
  v1::JobSpec alloc;
  alloc.mutable_synthetic_alloc()->set_operations(1000);
  v1::JobSpec file;
  file.mutable_synthetic_file()->set_size_bytes(256 << 10);

  const auto sum = must_wait(must_submit(checksum));
  ASSERT_EQ(sum.state(), v1::JOB_STATE_SUCCEEDED) << sum.ShortDebugString();
  EXPECT_EQ(sum.result().file_checksum().files(), 1u);
  EXPECT_EQ(sum.result().file_checksum().bytes(), 5u);
  EXPECT_EQ(sum.result().file_checksum().sha256().size(), 64u);
  const auto copied = must_wait(must_submit(copy));
  ASSERT_EQ(copied.state(), v1::JOB_STATE_SUCCEEDED) << copied.ShortDebugString();
  // Of "hello", from sha256sum.
  EXPECT_EQ(copied.result().file_copy().sha256(),
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  const auto ran = must_wait(must_submit(exec_spec({"sh", "-c", "exit 7"})));
  EXPECT_EQ(ran.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(ran.result().exec().exit_code(), 7);
  for (const auto& spec : {spawn_spec(500), alloc, file}) {
    const auto job = must_wait(must_submit(spec));
    EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.ShortDebugString();
    EXPECT_FALSE(job.result().synthetic().checksum().empty());
  }
}

TEST_F(SubmitJob, SaysWhoAskedAsTheKernelKnowsIt) {
  v1::Job job;
  ASSERT_TRUE(submit(exec_spec({"true"}), job).ok());
  EXPECT_EQ(job.principal().uid(), geteuid());
  EXPECT_EQ(job.principal().gid(), getegid());
}

TEST_F(SubmitJob, TheSameRequestIdReturnsTheSameJob) {
  v1::Job first;
  v1::Job again;
  ASSERT_TRUE(submit(spawn_spec(10), first, "r-1").ok());
  ASSERT_TRUE(submit(spawn_spec(10), again, "r-1").ok());
  EXPECT_EQ(first.id(), again.id());
  const auto status = submit(spawn_spec(11), again, "r-1");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(details_of(status).reason, "REQUEST_ID_REUSED");
}

TEST_F(SubmitJob, ValidateOnlySubmitsNothing) {
  v1::SubmitJobRequest request;
  *request.mutable_spec() = spawn_spec(10);
  request.set_validate_only(true);
  v1::SubmitJobResponse response;
  ASSERT_TRUE(jobs_->SubmitJob(call().get(), request, &response).ok());
  EXPECT_EQ(response.job().id(), "");
  v1::ListJobsResponse list;
  ASSERT_TRUE(jobs_->ListJobs(call().get(), {}, &list).ok());
  EXPECT_EQ(list.jobs_size(), 0);
}

TEST_F(SubmitJob, WhatWasAcknowledgedIsThereAfterAKill) {
  const auto id = must_submit(spawn_spec(10));
  const auto done = must_wait(id);
  daemon_->kill();
  ASSERT_TRUE(daemon_->start()) << daemon_->log();
  connect();
  const auto after = must_get(id);
  EXPECT_EQ(after.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(after.result().synthetic().checksum(), done.result().synthetic().checksum());
}

}  // namespace
}  // namespace zokio::test
