// SPDX-License-Identifier: Apache-2.0
// What is wrong is refused with its code, its reason and the field, and nothing is applied.
#include <functional>

#include "rpc_fixture.h"

namespace zokio::test {
namespace {

using grpc::StatusCode;

class BadInput : public RpcTest {
 protected:
  void SetUp() override {
    DaemonProcess::Options options;
    options.arguments = {"--set", "workers=2", "--set", "rpc.message_limit=\"1MiB\""};
    start(std::move(options));
  }
  uint64_t jobs() {
    v1::ListJobsResponse list;
    EXPECT_TRUE(jobs_->ListJobs(call().get(), {}, &list).ok());
    return static_cast<uint64_t>(list.jobs_size());
  }
};

struct BadSubmit {
  const char* name;
  std::function<v1::JobSpec()> spec;
  StatusCode code;
  const char* reason;
  const char* field;  // null: not a field
};

TEST_F(BadInput, Submits) {
  const std::vector<BadSubmit> table = {
      {"unknown kind",
       [] {
         v1::JobSpec s;
         s.set_kind("no.such");
         return s;
       },
       StatusCode::INVALID_ARGUMENT, "INVALID_FIELD", "spec.kind"},
      {"nothing", [] { return v1::JobSpec(); }, StatusCode::INVALID_ARGUMENT, "INVALID_FIELD",
       "spec.kind"},
      {"no command", [] { return exec_spec({}); }, StatusCode::INVALID_ARGUMENT, "INVALID_FIELD",
       "spec.exec.argv"},
      {"missing path",
       [] {
         v1::JobSpec s;
         s.mutable_file_checksum();
         return s;
       },
       StatusCode::INVALID_ARGUMENT, "INVALID_FIELD", "spec.file_checksum.path"},
      {"relative path",
       [] {
         v1::JobSpec s;
         s.mutable_file_checksum()->set_path("a/b");
         return s;
       },
       StatusCode::INVALID_ARGUMENT, "INVALID_FIELD", "spec.file_checksum.path"},
      {"path outside the roots",
       [] {
         v1::JobSpec s;
         s.mutable_file_checksum()->set_path("/etc/passwd");
         return s;
       },
       StatusCode::PERMISSION_DENIED, "PATH_NOT_ALLOWED", nullptr},
      {"path that climbs out of a root",
       [this] {
         v1::JobSpec s;
         s.mutable_file_checksum()->set_path(daemon_->data_dir() + "/../../../../etc/passwd");
         return s;
       },
       StatusCode::OK, "", nullptr},  // refused with either code, see below
      {"priority",
       [] {
         auto s = spawn_spec(1);
         s.set_priority(101);
         return s;
       },
       StatusCode::INVALID_ARGUMENT, "INVALID_FIELD", "spec.priority"},
      {"too many tasks", [] { return spawn_spec(1ull << 40); }, StatusCode::INVALID_ARGUMENT,
       "INVALID_FIELD", "spec.synthetic_spawn.tasks"},
      {"negative timeout",
       [] {
         auto s = spawn_spec(1);
         s.mutable_timeout()->set_seconds(-1);
         return s;
       },
       StatusCode::INVALID_ARGUMENT, "INVALID_FIELD", "spec.timeout"},
      {"label",
       [] {
         auto s = spawn_spec(1);
         (*s.mutable_labels())["k"] = std::string(64, 'x');
         return s;
       },
       StatusCode::INVALID_ARGUMENT, "INVALID_FIELD", "spec.labels.k"},
  };
  for (const auto& bad : table) {
    v1::Job job;
    const auto status = submit(bad.spec(), job);
    const auto details = details_of(status);
    EXPECT_FALSE(status.ok()) << bad.name;
    EXPECT_FALSE(status.error_message().empty()) << bad.name;
    EXPECT_EQ(details.domain, "zokio.dev") << bad.name;
    if (bad.code == StatusCode::OK) continue;
    EXPECT_EQ(status.error_code(), bad.code) << bad.name << ": " << status.error_message();
    EXPECT_EQ(details.reason, bad.reason) << bad.name;
    if (bad.field) {
      EXPECT_EQ(details.fields, std::vector<std::string>{bad.field}) << bad.name;
    }
  }
  EXPECT_EQ(jobs(), 0u) << "nothing was taken";
}

TEST_F(BadInput, APathThatIsNotThereFailsTheJob) {
  v1::JobSpec spec;
  spec.mutable_file_checksum()->set_path(daemon_->data_dir() + "/missing");
  const auto job = must_wait(must_submit(spec));
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().code(), "NOT_FOUND") << job.error().message();
  EXPECT_NE(job.error().message().find("missing"), std::string::npos);
}

TEST_F(BadInput, OversizedMessages) {
  // Above our limit: our own words. Far above: gRPC does not even read it.
  for (const size_t size : {size_t{1200} << 10, size_t{8} << 20}) {
    v1::Job job;
    const auto status = submit(exec_spec({"true", std::string(size, 'x')}), job);
    EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED) << size;
    EXPECT_NE(status.error_message().find(std::to_string(1 << 20).substr(0, 1)), std::string::npos);
    if (size < (2u << 20)) {
      EXPECT_EQ(details_of(status).reason, "REQUEST_TOO_LARGE");
      EXPECT_EQ(details_of(status).metadata["limit_bytes"], std::to_string(1 << 20));
    }
  }
  EXPECT_EQ(jobs(), 0u);
  EXPECT_EQ(must_wait(must_submit(exec_spec({"true"}))).state(), v1::JOB_STATE_SUCCEEDED)
      << "the connection is fine";
}

struct BadUpdate {
  const char* name;
  std::function<void(v1::UpdateRuntimeRequest&)> make;
  StatusCode code;
  const char* reason;
};

TEST_F(BadInput, Updates) {
  const auto before = must_get_runtime();
  const std::vector<BadUpdate> table = {
      {"0 workers",
       [](v1::UpdateRuntimeRequest& r) { r.mutable_update_mask()->add_paths("desired.workers"); },
       StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"},
      {"too many workers",
       [](v1::UpdateRuntimeRequest& r) {
         r.mutable_runtime()->mutable_desired()->set_workers(100'000);
       },
       StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"},
      {"unknown pool beside a good count",
       [](v1::UpdateRuntimeRequest& r) {
         r.mutable_runtime()->mutable_desired()->set_workers(3);
         r.mutable_runtime()->mutable_desired()->add_pools()->set_name("nonsense");
       },
       StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"},
      {"unknown mask path",
       [](v1::UpdateRuntimeRequest& r) {
         r.mutable_runtime()->mutable_desired()->set_workers(3);
         r.mutable_update_mask()->add_paths("actual.workers");
       },
       StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"},
      {"stale etag",
       [](v1::UpdateRuntimeRequest& r) {
         r.mutable_runtime()->mutable_desired()->set_workers(3);
         r.set_etag("stale");
       },
       StatusCode::ABORTED, "RUNTIME_CHANGED"},
      {"cap below the bytes in use",
       [](v1::UpdateRuntimeRequest& r) {
         auto* desired = r.mutable_runtime()->mutable_desired();
         desired->set_workers(3);
         auto* pool = desired->add_pools();
         pool->set_name("frames");
         pool->set_limit_bytes(1);
       },
       StatusCode::FAILED_PRECONDITION, "RESIZE_INFEASIBLE"},
  };
  for (const auto& bad : table) {
    v1::UpdateRuntimeRequest request;
    bad.make(request);
    v1::UpdateRuntimeResponse response;
    const auto status = runtime_->UpdateRuntime(call().get(), request, &response);
    EXPECT_EQ(status.error_code(), bad.code) << bad.name << ": " << status.error_message();
    EXPECT_EQ(details_of(status).reason, bad.reason) << bad.name;
    EXPECT_FALSE(status.error_message().empty()) << bad.name;
  }
  const auto after = must_get_runtime();
  EXPECT_EQ(after.etag(), before.etag());
  EXPECT_EQ(after.desired().SerializeAsString(), before.desired().SerializeAsString());
  EXPECT_EQ(after.actual().workers(), 2u);
}

}  // namespace
}  // namespace zokio::test
