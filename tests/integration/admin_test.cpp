// SPDX-License-Identifier: Apache-2.0
// AdminService against a real zokiod: GetServerInfo, Drain, ReloadConfig; health and reflection.
#include <grpc/health/v1/health.grpc.pb.h>
#include <grpcpp/generic/generic_stub.h>

#include <sys/stat.h>

#include <set>
#include <string>

#include "rpc_fixture.h"

namespace zokio::test {
namespace {

using grpc::health::v1::HealthCheckResponse;

class Admin : public RpcTest {
 protected:
  grpc::Status check(const std::string& service, HealthCheckResponse& response) {
    auto stub = grpc::health::v1::Health::NewStub(channel_);
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(service);
    return stub->Check(call().get(), request, &response);
  }
  int serving(const std::string& service) {
    HealthCheckResponse response;
    EXPECT_TRUE(check(service, response).ok()) << service;
    return response.status();
  }
};

TEST_F(Admin, GetServerInfoSaysWhatItIs) {
  v1::GetServerInfoResponse info;
  ASSERT_TRUE(admin_->GetServerInfo(call().get(), {}, &info).ok());
  EXPECT_FALSE(info.version().empty());
  EXPECT_EQ(info.pid(), static_cast<uint32_t>(daemon_->pid()));
  EXPECT_EQ(info.state(), "serving");
  EXPECT_EQ(info.kinds_size(), 18);
  // These wait for lines of the policy that this daemon does not have.
  const std::set<std::string> closed = {"plugin", "tcp.echo", "tcp.proxy"};
  for (const auto& kind : info.kinds())
    EXPECT_EQ(kind.allowed(), !closed.contains(kind.name())) << kind.name();
}

TEST_F(Admin, HealthHasItsThreeNames) {
  for (const char* service : {"", "zokio.v1.JobService", "zokio.live"})
    EXPECT_EQ(serving(service), HealthCheckResponse::SERVING) << service;
  HealthCheckResponse response;
  EXPECT_EQ(check("no.such", response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(Admin, DrainTurnsClientsAwayAndStaysAlive) {
  const auto id = must_submit(exec_spec({"sleep", "600"}));
  v1::DrainRequest request;
  request.mutable_deadline()->set_seconds(600);
  request.set_reason("test");
  v1::DrainResponse response;
  ASSERT_TRUE(admin_->Drain(call().get(), request, &response).ok());
  EXPECT_EQ(response.state(), "draining");
  EXPECT_EQ(response.running() + response.queued(), 1u);
  EXPECT_EQ(serving(""), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(serving("zokio.v1.JobService"), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(serving("zokio.live"), HealthCheckResponse::SERVING);
  v1::Job job;
  const auto refused = submit(spawn_spec(1), job);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(details_of(refused).reason, "DRAINING");
  EXPECT_EQ(must_get(id).id(), id) << "reading goes on";
  // A shorter deadline: the job is interrupted and kept for the next start.
  request.mutable_deadline()->set_seconds(0);
  request.mutable_deadline()->set_nanos(1);
  request.set_wait(true);
  ASSERT_TRUE(admin_->Drain(call().get(), request, &response).ok());
  EXPECT_EQ(response.state(), "drained");
  EXPECT_EQ(response.running(), 0u);
  EXPECT_EQ(must_get(id).state(), v1::JOB_STATE_QUEUED);
  bool draining = false;
  for (const auto& condition : must_get_runtime().conditions())
    if (condition.type() == "Draining") draining = condition.status() == v1::Condition::STATUS_TRUE;
  EXPECT_TRUE(draining);
}

class Reload : public Admin {
 protected:
  void SetUp() override {
    DaemonProcess::Options options;
    options.config = "workers = 2\n[jobs]\nqueue_limit = 100\n";
    start(std::move(options));
  }
  grpc::Status reload(bool validate_only, v1::ReloadConfigResponse& response) {
    v1::ReloadConfigRequest request;
    request.set_validate_only(validate_only);
    return admin_->ReloadConfig(call().get(), request, &response);
  }
};

TEST_F(Reload, ReloadConfigAppliesWhatIsLive) {
  daemon_->write_config("workers = 3\n[jobs]\nqueue_limit = 200\n");
  v1::ReloadConfigResponse response;
  ASSERT_TRUE(reload(true, response).ok());
  EXPECT_EQ(response.changes_size(), 2);
  EXPECT_EQ(must_get_runtime().desired().workers(), 2u);
  const auto status = reload(false, response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(must_get_runtime().actual().workers(), 3u);
  EXPECT_EQ(must_get_stats().jobs().queue_limit(), 200u);
}

TEST_F(Reload, ReloadConfigRefusesAWholeFileThatIsWrong) {
  daemon_->write_config("workers = 3\n[jobs]\nqueue_limit = \n");
  v1::ReloadConfigResponse response;
  auto status = reload(false, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(details_of(status).reason, "CONFIG_INVALID");
  EXPECT_NE(status.error_message().find(":3:"), std::string::npos)
      << "the line: " << status.error_message();
  daemon_->write_config("workers = 3\n[io]\nblocking_threads = 12\n[jobs]\nqueue_limit = 100\n");
  status = reload(false, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(details_of(status).reason, "RESTART_REQUIRED");
  EXPECT_EQ(details_of(status).subjects, std::vector<std::string>{"io.blocking_threads"});
  EXPECT_EQ(must_get_runtime().desired().workers(), 2u) << "nothing was applied";
}

// Debian has no client for reflection, so the messages are written by hand (field 7: list services,
// field 4: the file that has a symbol) and names are looked for in the bytes of the answer.
class Reflection : public Admin {
 protected:
  grpc::Status ask(const std::string& message, std::string& text) {
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    auto context = call();
    auto stream = stub.PrepareCall(
        context.get(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
    void* tag = nullptr;
    bool ok = false;
    stream->StartCall(&tag);
    EXPECT_TRUE(queue.Next(&tag, &ok) && ok);
    const grpc::Slice request(message);
    stream->WriteLast(grpc::ByteBuffer(&request, 1), {}, &tag);
    queue.Next(&tag, &ok);
    grpc::ByteBuffer answer;
    stream->Read(&answer, &tag);
    queue.Next(&tag, &ok);
    grpc::Slice all;
    if (ok && answer.DumpToSingleSlice(&all).ok())
      text.assign(reinterpret_cast<const char*>(all.begin()), all.size());
    grpc::Status status;
    stream->Finish(&status, &tag);
    queue.Next(&tag, &ok);
    return status;
  }
  grpc::Status list_services(std::string& text) { return ask(std::string("\x3a\x00", 2), text); }
  grpc::Status find_symbol(const std::string& symbol, std::string& text) {
    return ask("\x22" + std::string(1, static_cast<char>(symbol.size())) + symbol, text);
  }
};

TEST_F(Reflection, DescribesEveryService) {
  for (const auto& [service, word] : {std::pair("zokio.v1.JobService", "SubmitJobRequest"),
                                      std::pair("zokio.v1.StatsService", "GetStatsRequest"),
                                      std::pair("grpc.health.v1.Health", "HealthCheckRequest")}) {
    std::string text;
    const auto status = find_symbol(service, text);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_NE(text.find(word), std::string::npos) << service << " has no descriptor";
  }
}

TEST_F(Reflection, ListsTheServices) {
  std::string text;
  const auto status = list_services(text);
  ASSERT_TRUE(status.ok()) << status.error_message();
  for (const char* service :
       {"zokio.v1.JobService", "zokio.v1.RuntimeService", "zokio.v1.StatsService",
        "zokio.v1.AdminService", "zokio.v1.SoakService", "grpc.health.v1.Health"})
    EXPECT_NE(text.find(service), std::string::npos) << service;
}

class NoReflection : public Reflection {
 protected:
  void SetUp() override {
    DaemonProcess::Options options;
    options.arguments = {"--set", "rpc.reflection=false"};
    start(std::move(options));
  }
};

TEST_F(NoReflection, CanBeSwitchedOff) {
  std::string text;
  EXPECT_EQ(list_services(text).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(RpcTest, BackupOfAStoreInUseIsWholeAndItsNameIsOnlyAName) {
  for (int i = 0; i < 20; ++i) must_submit(exec_spec({"true"}));
  v1::BackupRequest request;
  request.set_name("one.db");
  v1::BackupResponse response;
  ASSERT_TRUE(admin_->Backup(call().get(), request, &response).ok());
  EXPECT_EQ(response.jobs(), 20u);
  struct stat status{};
  ASSERT_EQ(stat(response.path().c_str(), &status), 0);
  EXPECT_EQ(static_cast<uint64_t>(status.st_size), response.size_bytes());
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  EXPECT_EQ(details_of(admin_->Backup(call().get(), request, &response)).reason, "BACKUP_EXISTS");
  request.set_name("../one.db");
  EXPECT_EQ(details_of(admin_->Backup(call().get(), request, &response)).fields,
            std::vector<std::string>{"name"});
}

}  // namespace
}  // namespace zokio::test
