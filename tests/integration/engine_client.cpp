// SPDX-License-Identifier: Apache-2.0
#include "engine_client.h"

#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zokio/v1/admin_service.grpc.pb.h>
#include <zokio/v1/job_service.grpc.pb.h>
#include <zokio/v1/runtime_service.grpc.pb.h>

#include <thread>

#include "grpc/health/v1/health.grpc.pb.h"

namespace zokio::test {
namespace {

namespace v1 = ::zokio::v1;
using Clock = std::chrono::system_clock;

constexpr std::chrono::seconds kCallMax{30};

void deadline(grpc::ClientContext& context, std::chrono::milliseconds limit = kCallMax) {
  context.set_deadline(Clock::now() + limit);
  context.set_wait_for_ready(true);  // a daemon that restarts is waited for
}

v1::JobSpec spec_of(const Work& work) {
  v1::JobSpec spec;
  if (work.kind == "synthetic.spawn") {
    spec.mutable_synthetic_spawn()->set_seed(work.seed);
    spec.mutable_synthetic_spawn()->set_tasks(work.size);
  } else if (work.kind == "synthetic.alloc") {
    spec.mutable_synthetic_alloc()->set_seed(work.seed);
    spec.mutable_synthetic_alloc()->set_operations(work.size);
  } else if (work.kind == "synthetic.file") {
    spec.mutable_synthetic_file()->set_seed(work.seed);
    spec.mutable_synthetic_file()->set_size_bytes(work.size);
  } else if (work.kind == "file.checksum") {
    spec.mutable_file_checksum()->set_path(work.path);
  } else {
    for (const auto& word : work.argv) spec.mutable_exec()->add_argv(word);
  }
  return spec;
}

JobView view_of(const v1::Job& job) {
  return {job.id(),      job.request_id(),    static_cast<int>(job.state()),
          job.attempt(), job.interruptions(), job.error().message()};
}

bool worth_repeating(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ||
         status.error_code() == grpc::StatusCode::CANCELLED ||
         status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
}

// A read is repeated while the daemon cannot be reached: a connection that died with the last
// process may still be the one that is tried first.
template <class Call>
bool read_until_ok(Call call) {
  const auto until = Clock::now() + kCallMax;
  while (true) {
    grpc::ClientContext context;
    deadline(context);
    const grpc::Status status = call(&context);
    if (status.ok()) return true;
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE || Clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace

struct EngineClient::Impl {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::JobService::Stub> jobs;
  std::unique_ptr<v1::RuntimeService::Stub> runtime;
  std::unique_ptr<v1::AdminService::Stub> admin;
  std::unique_ptr<grpc::health::v1::Health::Stub> health;
};

EngineClient::EngineClient(const std::string& address) : impl_(std::make_unique<Impl>()) {
  grpc::ChannelArguments arguments;
  // The defaults wait seconds after a refused connection: the daemon is back in a tenth of one.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  impl_->channel =
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  impl_->jobs = v1::JobService::NewStub(impl_->channel);
  impl_->runtime = v1::RuntimeService::NewStub(impl_->channel);
  impl_->admin = v1::AdminService::NewStub(impl_->channel);
  impl_->health = grpc::health::v1::Health::NewStub(impl_->channel);
}

EngineClient::~EngineClient() = default;

std::optional<Accepted> EngineClient::submit(const Work& work, const std::string& request_id,
                                             std::chrono::seconds limit) {
  v1::SubmitJobRequest request;
  *request.mutable_spec() = spec_of(work);
  request.set_request_id(request_id);
  const auto until = Clock::now() + limit;
  while (Clock::now() < until) {
    grpc::ClientContext context;
    deadline(context);
    v1::SubmitJobResponse response;
    const auto status = impl_->jobs->SubmitJob(&context, request, &response);
    if (status.ok()) return Accepted{response.job().id(), response.duplicate()};
    if (!worth_repeating(status)) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return std::nullopt;
}

std::string EngineClient::try_submit(const Work& work) {
  v1::SubmitJobRequest request;
  *request.mutable_spec() = spec_of(work);
  grpc::ClientContext context;
  deadline(context);
  v1::SubmitJobResponse response;
  const auto status = impl_->jobs->SubmitJob(&context, request, &response);
  return status.ok() ? "" : std::to_string(status.error_code()) + " " + status.error_message();
}

std::optional<std::vector<JobView>> EngineClient::list(const std::vector<int>& states) {
  std::vector<JobView> out;
  v1::ListJobsRequest request;
  request.set_page_size(1000);
  for (const int state : states) request.add_states(static_cast<v1::JobState>(state));
  do {
    v1::ListJobsResponse response;
    const bool ok = read_until_ok(
        [&](auto* context) { return impl_->jobs->ListJobs(context, request, &response); });
    if (!ok) return std::nullopt;
    for (const auto& job : response.jobs()) out.push_back(view_of(job));
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return out;
}

std::optional<JobView> EngineClient::get(const std::string& id) {
  v1::GetJobRequest request;
  request.set_id(id);
  v1::GetJobResponse response;
  const bool ok = read_until_ok(
      [&](auto* context) { return impl_->jobs->GetJob(context, request, &response); });
  if (!ok) return std::nullopt;
  return view_of(response.job());
}

std::string EngineClient::resize(const Sizes& sizes) {
  v1::UpdateRuntimeRequest request;
  auto* desired = request.mutable_runtime()->mutable_desired();
  if (sizes.workers) {
    desired->set_workers(*sizes.workers);
    request.mutable_update_mask()->add_paths("desired.workers");
  }
  if (sizes.reactors) {
    desired->set_reactors(*sizes.reactors);
    request.mutable_update_mask()->add_paths("desired.reactors");
  }
  for (const auto& [name, bytes] : sizes.pools) {
    auto* pool = desired->add_pools();
    pool->set_name(name);
    pool->set_limit_bytes(bytes);
  }
  if (!sizes.pools.empty()) request.mutable_update_mask()->add_paths("desired.pools");
  request.set_force(true);
  grpc::ClientContext context;
  deadline(context);
  v1::UpdateRuntimeResponse response;
  const auto status = impl_->runtime->UpdateRuntime(&context, request, &response);
  return status.ok() ? "" : std::to_string(status.error_code()) + " " + status.error_message();
}

std::optional<std::pair<uint32_t, uint32_t>> EngineClient::actual() {
  v1::GetRuntimeResponse response;
  const bool ok = read_until_ok(
      [&](auto* context) { return impl_->runtime->GetRuntime(context, {}, &response); });
  if (!ok) return std::nullopt;
  const auto& actual = response.runtime().actual();
  return std::pair(actual.workers(), actual.reactors());
}

bool EngineClient::drain(std::chrono::milliseconds limit) {
  v1::DrainRequest request;
  request.mutable_deadline()->set_seconds(limit.count() / 1000);
  request.mutable_deadline()->set_nanos(static_cast<int>(limit.count() % 1000) * 1'000'000);
  grpc::ClientContext context;
  deadline(context);
  v1::DrainResponse response;
  return impl_->admin->Drain(&context, request, &response).ok();
}

std::string EngineClient::health(const std::string& service) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::ClientContext context;
  deadline(context);
  grpc::health::v1::HealthCheckResponse response;
  const auto status = impl_->health->Check(&context, request, &response);
  if (!status.ok()) return status.error_message();
  return grpc::health::v1::HealthCheckResponse::ServingStatus_Name(response.status());
}

std::string http_get(uint16_t port, const std::string& path) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string out;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    const std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char buffer[65536];
    if (::write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size()))
      for (ssize_t n = 0; (n = ::read(fd, buffer, sizeof buffer)) > 0;)
        out.append(buffer, static_cast<size_t>(n));
  }
  ::close(fd);
  const size_t body = out.find("\r\n\r\n");
  return body == std::string::npos ? "" : out.substr(body + 4);
}

}  // namespace zokio::test
