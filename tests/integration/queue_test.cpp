// SPDX-License-Identifier: Apache-2.0
// QueueService against a real zokiod.
#include <zokio/v1/queue_service.grpc.pb.h>

#include "rpc_fixture.h"

namespace zokio::test {
namespace {

class Queues : public RpcTest {
 protected:
  std::unique_ptr<v1::QueueService::Stub> queues() {
    return v1::QueueService::NewStub(
        grpc::CreateChannel("unix:" + daemon_->socket_path(), grpc::InsecureChannelCredentials()));
  }
  grpc::Status create(const std::string& name, const v1::QueueSettings& settings, v1::Queue& out) {
    v1::CreateQueueRequest request;
    request.set_name(name);
    *request.mutable_settings() = settings;
    v1::CreateQueueResponse response;
    const auto status = queues()->CreateQueue(call().get(), request, &response);
    out = response.queue();
    return status;
  }
  grpc::Status update(const std::string& name, const v1::QueueSettings& settings, v1::Queue& out) {
    v1::UpdateQueueRequest request;
    request.set_name(name);
    *request.mutable_settings() = settings;
    v1::UpdateQueueResponse response;
    const auto status = queues()->UpdateQueue(call().get(), request, &response);
    out = response.queue();
    return status;
  }
  static v1::JobSpec in(const std::string& queue) {
    v1::JobSpec out;
    out.set_kind("synthetic.spawn");
    out.mutable_synthetic_spawn()->set_tasks(10);
    out.set_queue(queue);
    return out;
  }
};

TEST_F(Queues, MadePausedFilledPurgedAndDeleted) {
  v1::Queue queue;
  v1::QueueSettings settings;
  settings.set_mode(v1::QUEUE_MODE_PAUSED);
  settings.set_size_limit(3);
  ASSERT_TRUE(create("bulk", settings, queue).ok());
  EXPECT_EQ(queue.settings().shares(), 100u);
  EXPECT_EQ(create("bulk", {}, queue).error_code(), grpc::StatusCode::ALREADY_EXISTS);
  for (int i = 0; i < 3; ++i) must_submit(in("bulk"));
  v1::Job job;
  const auto full = submit(in("bulk"), job);
  EXPECT_EQ(full.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  const auto details = details_of(full);
  EXPECT_EQ(details.reason, "QUEUE_FULL");
  EXPECT_EQ(details.metadata.at("limit_name"), "size_limit of queue \"bulk\"");

  v1::ListJobsRequest list;
  list.set_queue("bulk");
  v1::ListJobsResponse jobs;
  ASSERT_TRUE(jobs_->ListJobs(call().get(), list, &jobs).ok());
  EXPECT_EQ(jobs.jobs_size(), 3);

  daemon_->kill();
  ASSERT_TRUE(daemon_->start()) << daemon_->log();
  connect();
  v1::ListQueuesResponse all;
  ASSERT_TRUE(queues()->ListQueues(call().get(), {}, &all).ok());
  ASSERT_EQ(all.queues_size(), 2);
  EXPECT_EQ(all.queues(0).name(), "bulk");
  EXPECT_EQ(all.queues(0).queued(), 3u);
  EXPECT_EQ(all.queues(0).held_by(), "paused");
  EXPECT_TRUE(all.queues(0).has_oldest_queue_time());

  v1::DeleteQueueRequest remove;
  remove.set_name("bulk");
  v1::DeleteQueueResponse removed;
  EXPECT_EQ(details_of(queues()->DeleteQueue(call().get(), remove, &removed)).reason,
            "QUEUE_NOT_EMPTY");
  v1::PurgeQueueRequest purge;
  purge.set_name("bulk");
  v1::PurgeQueueResponse purged;
  ASSERT_TRUE(queues()->PurgeQueue(call().get(), purge, &purged).ok());
  EXPECT_EQ(purged.cancelled(), 3u);
  ASSERT_TRUE(queues()->DeleteQueue(call().get(), remove, &removed).ok());
  v1::GetQueueRequest get;
  get.set_name("bulk");
  v1::GetQueueResponse got;
  EXPECT_EQ(queues()->GetQueue(call().get(), get, &got).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(Queues, UpdateChangesWhatIsSetAndNamesWhatIsWrong) {
  v1::Queue queue;
  v1::QueueSettings settings;
  settings.set_rate(10);
  settings.mutable_rate_interval()->set_seconds(60);
  ASSERT_TRUE(create("slow", settings, queue).ok());
  v1::QueueSettings change;
  change.set_shares(7);
  ASSERT_TRUE(update("slow", change, queue).ok());
  EXPECT_EQ(queue.settings().shares(), 7u);
  EXPECT_EQ(queue.settings().rate(), 10u);
  EXPECT_EQ(queue.settings().rate_interval().seconds(), 60);
  change.set_shares(0);
  change.set_priority(1000);
  EXPECT_EQ(details_of(update("slow", change, queue)).fields,
            (std::vector<std::string>{"queue.priority", "queue.shares"}));
}

}  // namespace
}  // namespace zokio::test
