// SPDX-License-Identifier: Apache-2.0
// RuntimeService.GetRuntime and UpdateRuntime, StatsService.GetStats against a real zokiod.
#include "rpc_fixture.h"

namespace zokio::test {
namespace {

class Runtime : public RpcTest {
 protected:
  void SetUp() override {
    DaemonProcess::Options options;
    options.arguments = {"--set", "workers=2", "--set", "reactors=1"};
    start(std::move(options));
  }
  static v1::UpdateRuntimeRequest workers(uint32_t count) {
    v1::UpdateRuntimeRequest out;
    out.mutable_runtime()->mutable_desired()->set_workers(count);
    out.mutable_update_mask()->add_paths("desired.workers");
    return out;
  }
};

TEST_F(Runtime, GetRuntimeShowsWhatIsDesiredAndWhatIs) {
  const auto runtime = must_get_runtime();
  EXPECT_EQ(runtime.desired().workers(), 2u);
  EXPECT_EQ(runtime.actual().workers(), 2u);
  EXPECT_EQ(runtime.actual().reactors(), 1u);
  EXPECT_EQ(runtime.desired().pools_size(), 5) << "and all of them together";
  EXPECT_EQ(runtime.generation(), runtime.observed_generation());
  EXPECT_TRUE(runtime.actual().backend() == "io_uring" || runtime.actual().backend() == "epoll");
  // epoll was not asked for, so there is a reason.
  EXPECT_EQ(runtime.actual().fallback_reason().empty(), runtime.actual().backend() == "io_uring");
  EXPECT_EQ(must_get_stats().io().fallback_reason(), runtime.actual().fallback_reason());
  EXPECT_FALSE(runtime.etag().empty());
  EXPECT_EQ(runtime.conditions_size(), 3);
}

TEST_F(Runtime, UpdateRuntimeResizesWhileJobsRun) {
  const auto id = must_submit(spawn_spec(200'000));
  auto request = workers(4);
  auto* desired = request.mutable_runtime()->mutable_desired();
  desired->set_reactors(2);
  auto* pool = desired->add_pools();
  pool->set_name("buffers");
  pool->set_limit_bytes(256u << 20);
  request.mutable_update_mask()->add_paths("desired.reactors");
  request.mutable_update_mask()->add_paths("desired.pools");
  request.set_etag(must_get_runtime().etag());
  v1::UpdateRuntimeResponse response;
  const auto status = runtime_->UpdateRuntime(call().get(), request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.changes_size(), 3);
  EXPECT_EQ(response.runtime().actual().workers(), 4u);
  EXPECT_EQ(response.runtime().actual().reactors(), 2u);
  EXPECT_EQ(response.runtime().generation(), 2u);
  EXPECT_EQ(response.runtime().observed_generation(), 2u);
  ASSERT_TRUE(runtime_->UpdateRuntime(call().get(), workers(1), &response).ok());
  EXPECT_EQ(response.runtime().actual().workers(), 1u);
  EXPECT_EQ(must_wait(id).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(Runtime, UpdateRuntimeValidateOnlyChangesNothing) {
  auto request = workers(6);
  request.set_validate_only(true);
  v1::UpdateRuntimeResponse response;
  ASSERT_TRUE(runtime_->UpdateRuntime(call().get(), request, &response).ok());
  EXPECT_EQ(response.runtime().desired().workers(), 6u);
  const auto after = must_get_runtime();
  EXPECT_EQ(after.desired().workers(), 2u);
  EXPECT_EQ(after.generation(), 1u);
}

TEST_F(Runtime, GetStatsHasFiguresThatMove) {
  const auto before = must_get_stats();
  must_wait(must_submit(spawn_spec(5000)));
  const auto after = must_get_stats();
  EXPECT_EQ(after.scheduler().workers_desired(), 2u);
  EXPECT_GE(after.scheduler().tasks_spawned(), before.scheduler().tasks_spawned() + 5000);
  EXPECT_GT(after.scheduler().delay().count(), before.scheduler().delay().count());
  EXPECT_EQ(after.jobs().lost(), 0u);
  uint64_t accepted = 0;
  for (const auto& kind : after.jobs().kinds()) accepted += kind.accepted();
  EXPECT_EQ(accepted, 1u);
  EXPECT_GT(after.jobs().journal().commits(), before.jobs().journal().commits());
  EXPECT_EQ(after.process().pid(), static_cast<uint32_t>(daemon_->pid()));
  EXPECT_GT(after.process().resident_bytes(), 1u << 20);
  EXPECT_EQ(after.pools_size(), 4);
  bool found = false;
  for (const auto& method : after.rpc().methods()) {
    if (method.method() != "SubmitJob") continue;
    found = true;
    EXPECT_EQ(method.handled().at("OK"), 1u);
    EXPECT_EQ(method.handling().count(), 1u);
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace zokio::test
