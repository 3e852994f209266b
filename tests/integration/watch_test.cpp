// SPDX-License-Identifier: Apache-2.0
// JobService.WatchJobs against a real zokiod: order, gaps, resuming, filters.
#include <map>

#include "rpc_fixture.h"

namespace zokio::test {
namespace {

class WatchJobs : public RpcTest {
 protected:
  struct Stream {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientReader<v1::WatchJobsResponse>> reader;
    ~Stream() {
      if (context) context->TryCancel();
    }
  };
  // Begins after everything that happened before the call: from the revision of a list.
  std::unique_ptr<Stream> watch(v1::WatchJobsRequest request) {
    auto out = std::make_unique<Stream>();
    out->context = call();
    out->reader = jobs_->WatchJobs(out->context.get(), request);
    return out;
  }
  uint64_t revision() {
    v1::ListJobsResponse list;
    EXPECT_TRUE(jobs_->ListJobs(call().get(), {}, &list).ok());
    return list.revision();
  }
  // The next event; progress is passed over.
  static bool next(Stream& stream, v1::JobEvent& event) {
    v1::WatchJobsResponse item;
    while (stream.reader->Read(&item)) {
      if (!item.has_event()) continue;
      event = item.event();
      return true;
    }
    return false;
  }
};

TEST_F(WatchJobs, EveryChangeInOrderWithoutGaps) {
  v1::WatchJobsRequest request;
  request.set_start_revision(revision() + 1);
  auto stream = watch(request);
  constexpr int kJobs = 50;
  for (int i = 0; i < kJobs; ++i) must_submit(spawn_spec(1));
  std::map<std::string, v1::JobState> states;
  uint64_t expected = request.start_revision();
  int finished = 0;
  v1::JobEvent event;
  while (finished < kJobs && next(*stream, event)) {
    EXPECT_EQ(event.revision(), expected++);
    if (states.contains(event.job_id()))
      EXPECT_EQ(event.previous_state(), states[event.job_id()]);
    else
      EXPECT_EQ(event.previous_state(), v1::JOB_STATE_UNSPECIFIED);
    states[event.job_id()] = event.state();
    if (event.state() == v1::JOB_STATE_SUCCEEDED) {
      EXPECT_EQ(event.outcome(), v1::ATTEMPT_OUTCOME_SUCCEEDED);
      ++finished;
    }
  }
  EXPECT_EQ(finished, kJobs);
}

TEST_F(WatchJobs, ResumesWhereItWasCut) {
  const uint64_t start = revision() + 1;
  std::vector<std::string> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(must_submit(spawn_spec(1)));
  for (const auto& id : ids) must_wait(id);
  v1::WatchJobsRequest request;
  request.set_start_revision(start);
  std::vector<uint64_t> seen;
  v1::JobEvent event;
  for (int part = 0; part < 3; ++part) {
    auto stream = watch(request);
    for (int i = 0; i < 10 && next(*stream, event); ++i) seen.push_back(event.revision());
    request.set_start_revision(seen.back() + 1);
  }
  ASSERT_EQ(seen.size(), 30u);  // queued, running, succeeded of ten jobs
  for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], start + i);
}

TEST_F(WatchJobs, OneJobOnly) {
  must_submit(spawn_spec(1));
  const uint64_t start = revision() + 1;
  const auto id = must_submit(exec_spec({"true"}));
  must_wait(must_submit(spawn_spec(1)));
  must_wait(id);
  v1::WatchJobsRequest request;
  request.set_start_revision(start);
  request.set_job_id(id);
  auto stream = watch(request);
  v1::JobEvent event;
  std::vector<v1::JobState> states;
  while (states.size() < 3 && next(*stream, event)) {
    EXPECT_EQ(event.job_id(), id);
    states.push_back(event.state());
  }
  EXPECT_EQ(states, (std::vector<v1::JobState>{v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING,
                                               v1::JOB_STATE_SUCCEEDED}));
}

TEST_F(WatchJobs, SilenceBringsProgress) {
  v1::WatchJobsRequest request;
  request.mutable_progress_interval()->set_nanos(100'000'000);
  auto stream = watch(request);
  v1::WatchJobsResponse item;
  ASSERT_TRUE(stream->reader->Read(&item));
  EXPECT_TRUE(item.has_progress());
}

TEST_F(WatchJobs, EndsWhenTheDaemonStops) {
  v1::WatchJobsRequest request;
  request.mutable_progress_interval()->set_nanos(100'000'000);
  auto stream = watch(request);
  v1::WatchJobsResponse item;
  ASSERT_TRUE(stream->reader->Read(&item));
  EXPECT_EQ(daemon_->stop(), 0) << daemon_->log();
  while (stream->reader->Read(&item)) {
  }
  const auto code = stream->reader->Finish().error_code();
  EXPECT_TRUE(code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::CANCELLED) << code;
}

}  // namespace
}  // namespace zokio::test
