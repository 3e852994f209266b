// SPDX-License-Identifier: Apache-2.0
//
// The load of `./dev bench path`: the same work given to zokiod over gRPC and to beanstalkd over
// its own protocol, one measurement for each start of the program, one JSON object on stdout.
//
//   submit    N clients, each with one submit outstanding; per second, acknowledged and durable
//   finish    the same, timed until the last job has been run
//   roundtrip one client submits an empty job and waits for its result, again and again
//
// Every job is accounted for: zokiod's event stream has to name each acknowledged id exactly once
// as succeeded; beanstalkd has to hold or hand out each id exactly once. A run that does not add up
// says checksum_ok false and counts for nothing.
// Thread: gRPC callbacks and one watching thread share state under a mutex.

#include <arpa/inet.h>
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zokio/v1/job_service.grpc.pb.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

namespace v1 = zokio::v1;
using Clock = std::chrono::steady_clock;

// A run that takes longer hangs; the harness counts it as failed.
constexpr auto kRunLimit = std::chrono::seconds(120);

struct Options {
  std::string impl, mode, address, dir;
  int port = 0;
  int clients = 1;
  int jobs = 100;
};

struct Outcome {
  double per_second = 0;
  std::vector<int64_t> latency_ns;
  bool checksum_ok = false;
};

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "path_client: %s\n", why.c_str());
  std::exit(1);
}

int64_t ns_since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
}

double per_second(int jobs, Clock::time_point start) {
  return jobs * 1e9 / static_cast<double>(ns_since(start));
}

// --- zokiod --------------------------------------------------------------------------------------

v1::SubmitJobRequest empty_job(int seed) {
  v1::SubmitJobRequest request;
  auto* work = request.mutable_spec()->mutable_synthetic_spawn();
  work->set_seed(static_cast<uint64_t>(seed));
  work->set_tasks(1);
  return request;
}

std::unique_ptr<v1::JobService::Stub> connect(const Options& options) {
  grpc::ChannelArguments arguments;
  // Each client has its own connection, as separate processes would.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  auto channel =
      grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10)))
    die("cannot connect to " + options.address);
  return v1::JobService::NewStub(channel);
}

// Follows the daemon's events and counts how each job ended.
class Watcher {
 public:
  explicit Watcher(const Options& options) : stub_(connect(options)), thread_([this] { run(); }) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kRunLimit, [this] { return ready_; }))
      die("the watch never began");
  }
  ~Watcher() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      if (context_) context_->TryCancel();
    }
    thread_.join();
  }

  // Waits until `count` jobs have ended.
  bool wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kRunLimit, [&] { return ended_.size() >= count; });
  }

  // Whether each of `ids` ended once and well, and no other job did.
  bool accounts_for(const std::vector<std::string>& ids) {
    std::lock_guard lock(mutex_);
    std::set<std::string> distinct(ids.begin(), ids.end());
    if (distinct.size() != ids.size() || ended_.size() != ids.size() || !well_) return false;
    return std::ranges::all_of(
        ids, [&](const auto& id) { return ended_.contains(id) && ended_[id] == 1; });
  }

 private:
  // Reads until stopped; a stream that the daemon ends is taken up again where it was left.
  void run() {
    uint64_t next = 0;
    for (;;) {
      grpc::ClientContext context;
      {
        std::lock_guard lock(mutex_);
        if (stopping_) return;
        context_ = &context;
      }
      v1::WatchJobsRequest request;
      request.set_start_revision(next);
      request.mutable_progress_interval()->set_nanos(100'000'000);
      auto reader = stub_->WatchJobs(&context, request);
      v1::WatchJobsResponse response;
      while (reader->Read(&response)) next = take(response) + 1;
      const grpc::Status status = reader->Finish();
      std::lock_guard lock(mutex_);
      context_ = nullptr;
      if (stopping_) return;
      if (status.error_code() == grpc::StatusCode::OUT_OF_RANGE)
        die("watch: " + status.error_message());
    }
  }

  // The first message, progress or event, shows that the watch stands.
  uint64_t take(const v1::WatchJobsResponse& response) {
    std::lock_guard lock(mutex_);
    ready_ = true;
    uint64_t revision = response.progress().revision();
    if (response.has_event()) {
      const auto& event = response.event();
      revision = event.revision();
      if (event.state() >= v1::JOB_STATE_SUCCEEDED && event.previous_state() != event.state()) {
        ++ended_[event.job_id()];
        well_ = well_ && event.state() == v1::JOB_STATE_SUCCEEDED;
      }
    }
    changed_.notify_all();
    return revision;
  }

  std::unique_ptr<v1::JobService::Stub> stub_;
  std::mutex mutex_;
  std::condition_variable changed_;
  grpc::ClientContext* context_ = nullptr;
  std::map<std::string, int> ended_;
  bool ready_ = false;
  bool well_ = true;
  bool stopping_ = false;
  std::thread thread_;
};

// N clients that each submit their share, one after the other, all driven by gRPC's own threads.
class Submitters {
 public:
  explicit Submitters(const Options& options) : open_(options.clients) {
    for (int i = 0; i < options.clients; ++i) {
      clients_.push_back(std::make_unique<Client>());
      clients_.back()->stub = connect(options);
      clients_.back()->share =
          options.jobs / options.clients + (i < options.jobs % options.clients);
    }
  }

  void run() {
    for (auto& client : clients_) next(*client);
    std::unique_lock lock(mutex_);
    if (!done_.wait_for(lock, kRunLimit, [this] { return open_ == 0; })) die("submits did not end");
    if (!error_.empty()) die("submit: " + error_);
  }

  std::vector<std::string> ids;
  std::vector<int64_t> latency_ns;

 private:
  struct Client {
    std::unique_ptr<v1::JobService::Stub> stub;
    std::unique_ptr<grpc::ClientContext> context;
    v1::SubmitJobRequest request;
    v1::SubmitJobResponse response;
    Clock::time_point start;
    int share = 0;
  };

  void next(Client& client) {
    if (client.share-- == 0) {
      std::lock_guard lock(mutex_);
      if (--open_ == 0) done_.notify_all();
      return;
    }
    client.context = std::make_unique<grpc::ClientContext>();
    client.request = empty_job(client.share);
    client.start = Clock::now();
    client.stub->async()->SubmitJob(
        client.context.get(), &client.request, &client.response,
        [this, &client](grpc::Status status) { finished(client, status); });
  }

  void finished(Client& client, const grpc::Status& status) {
    {
      std::lock_guard lock(mutex_);
      latency_ns.push_back(ns_since(client.start));
      if (status.ok()) {
        ids.push_back(client.response.job().id());
      } else {
        error_ = status.error_message();
        client.share = 0;
      }
    }
    next(client);
  }

  std::vector<std::unique_ptr<Client>> clients_;
  std::mutex mutex_;
  std::condition_variable done_;
  std::string error_;
  int open_;
};

Outcome zokio_submit(const Options& options, bool until_finished) {
  Watcher watcher(options);
  Submitters submitters(options);
  Outcome outcome;
  const auto start = Clock::now();
  submitters.run();
  outcome.per_second = per_second(options.jobs, start);
  const bool all = watcher.wait_for(static_cast<size_t>(options.jobs));
  if (until_finished) outcome.per_second = per_second(options.jobs, start);
  outcome.checksum_ok = all && watcher.accounts_for(submitters.ids);
  outcome.latency_ns = std::move(submitters.latency_ns);
  return outcome;
}

Outcome zokio_roundtrip(const Options& options) {
  auto stub = connect(options);
  Outcome outcome;
  outcome.checksum_ok = true;
  std::set<std::string> ids;
  const auto begin = Clock::now();
  for (int i = 0; i < options.jobs; ++i) {
    const auto start = Clock::now();
    grpc::ClientContext submit, wait;
    v1::SubmitJobResponse submitted;
    if (const auto s = stub->SubmitJob(&submit, empty_job(i), &submitted); !s.ok())
      die(s.error_message());
    v1::WaitJobRequest request;
    request.set_id(submitted.job().id());
    v1::WaitJobResponse ended;
    if (const auto s = stub->WaitJob(&wait, request, &ended); !s.ok()) die(s.error_message());
    outcome.latency_ns.push_back(ns_since(start));
    outcome.checksum_ok = outcome.checksum_ok && ids.insert(ended.job().id()).second &&
                          ended.job().state() == v1::JOB_STATE_SUCCEEDED &&
                          ended.job().result().synthetic().operations() == 1;
  }
  outcome.per_second = per_second(options.jobs, begin);
  return outcome;
}

// --- beanstalkd ----------------------------------------------------------------------------------

// As many bytes as an empty job's request has when it is encoded.
std::string job_body() {
  return std::string(empty_job(1).ByteSizeLong(), 'x');
}

class Beanstalk {
 public:
  explicit Beanstalk(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      die("cannot connect to beanstalkd");
  }
  ~Beanstalk() { close(fd_); }
  Beanstalk(const Beanstalk&) = delete;
  Beanstalk& operator=(const Beanstalk&) = delete;

  int fd() const { return fd_; }

  void send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = write(fd_, text.data(), text.size());
      if (n <= 0) die("beanstalkd closed the connection");
      text.remove_prefix(static_cast<size_t>(n));
    }
  }

  std::string line() {
    size_t end;
    while ((end = in_.find("\r\n")) == std::string::npos) fill();
    std::string out = in_.substr(0, end);
    in_.erase(0, end + 2);
    return out;
  }

  void skip(size_t bytes) {
    while (in_.size() < bytes) fill();
    in_.erase(0, bytes);
  }

  std::string ask(std::string_view text) {
    send(text);
    return line();
  }

  void send_put(const std::string& body) {
    send("put 0 0 60 " + std::to_string(body.size()) + "\r\n" + body + "\r\n");
  }

  // The id in "INSERTED 7" or "RESERVED 7 12".
  static uint64_t id_of(const std::string& answer, std::string_view word) {
    if (!answer.starts_with(word)) die("beanstalkd answered: " + answer);
    return std::strtoull(answer.c_str() + word.size(), nullptr, 10);
  }

  uint64_t reserve() {
    const std::string answer = ask("reserve\r\n");
    const uint64_t id = id_of(answer, "RESERVED ");
    skip(std::strtoull(answer.c_str() + answer.rfind(' '), nullptr, 10) + 2);
    return id;
  }

  void remove(uint64_t id) {
    if (ask("delete " + std::to_string(id) + "\r\n") != "DELETED") die("beanstalkd did not delete");
  }

 private:
  void fill() {
    char buffer[4096];
    const ssize_t n = read(fd_, buffer, sizeof buffer);
    if (n <= 0) die("beanstalkd closed the connection");
    in_.append(buffer, static_cast<size_t>(n));
  }

  int fd_;
  std::string in_;
};

// N connections in one poll loop, each with one put outstanding.
std::vector<uint64_t> beanstalk_put_all(const Options& options, Clock::time_point& begin,
                                        std::vector<int64_t>& latency_ns) {
  struct Client {
    std::unique_ptr<Beanstalk> connection;
    Clock::time_point start;
    int share = 0;
  };
  const std::string body = job_body();
  std::vector<Client> clients(static_cast<size_t>(options.clients));
  std::vector<pollfd> waits;
  std::vector<uint64_t> ids;
  for (size_t i = 0; i < clients.size(); ++i) {
    auto& c = clients[i];
    c.connection = std::make_unique<Beanstalk>(options.port);
    c.share =
        options.jobs / options.clients + (static_cast<int>(i) < options.jobs % options.clients);
    waits.push_back({.fd = c.connection->fd(), .events = POLLIN, .revents = 0});
    c.connection->ask("use " + options.mode + "\r\n");
  }
  begin = Clock::now();
  for (auto& c : clients) {
    c.start = begin;
    if (c.share > 0) c.connection->send_put(body);
  }
  while (ids.size() < static_cast<size_t>(options.jobs)) {
    if (poll(waits.data(), waits.size(), 30'000) <= 0) die("beanstalkd does not answer");
    for (size_t i = 0; i < clients.size(); ++i) {
      if (!(waits[i].revents & POLLIN)) continue;
      auto& c = clients[i];
      ids.push_back(Beanstalk::id_of(c.connection->line(), "INSERTED "));
      latency_ns.push_back(ns_since(c.start));
      c.start = Clock::now();
      if (--c.share > 0) c.connection->send_put(body);
    }
  }
  return ids;
}

uint64_t beanstalk_ready(int port) {
  Beanstalk connection(port);
  const std::string answer = connection.ask("stats\r\n");
  if (!answer.starts_with("OK ")) die("beanstalkd answered: " + answer);
  // Its own lines end in \n only, so the whole answer is one line of the protocol.
  const std::string text = connection.line();
  constexpr std::string_view kKey = "current-jobs-ready: ";
  const size_t at = text.find(kKey);
  if (at == std::string::npos) die("beanstalkd's statistics name no ready jobs");
  return std::strtoull(text.c_str() + at + kKey.size(), nullptr, 10);
}

Outcome beanstalk_submit(const Options& options, bool until_finished) {
  const uint64_t before = beanstalk_ready(options.port);
  std::set<uint64_t> finished;
  std::thread worker;
  if (until_finished) {
    worker = std::thread([&] {
      Beanstalk connection(options.port);
      connection.ask("watch " + options.mode + "\r\n");
      connection.ask("ignore default\r\n");
      for (int i = 0; i < options.jobs; ++i) {
        const uint64_t id = connection.reserve();
        connection.remove(id);
        finished.insert(id);
      }
    });
  }
  Outcome outcome;
  Clock::time_point start;  // when all are connected
  const auto ids = beanstalk_put_all(options, start, outcome.latency_ns);
  if (worker.joinable()) worker.join();
  outcome.per_second = per_second(options.jobs, start);
  const std::set<uint64_t> distinct(ids.begin(), ids.end());
  outcome.checksum_ok = distinct.size() == static_cast<size_t>(options.jobs);
  if (until_finished) {
    outcome.checksum_ok = outcome.checksum_ok && finished == distinct;
  } else {
    outcome.checksum_ok =
        outcome.checksum_ok && beanstalk_ready(options.port) - before == distinct.size();
  }
  return outcome;
}

// The worker answers through a second tube, as users of beanstalkd do who want a result.
Outcome beanstalk_roundtrip(const Options& options) {
  std::thread worker([&] {
    Beanstalk connection(options.port);
    connection.ask("watch work\r\n");
    connection.ask("ignore default\r\n");
    connection.ask("use results\r\n");
    for (int i = 0; i < options.jobs; ++i) {
      const uint64_t id = connection.reserve();
      connection.send_put("1");
      Beanstalk::id_of(connection.line(), "INSERTED ");
      connection.remove(id);
    }
  });
  Beanstalk connection(options.port);
  connection.ask("use work\r\n");
  connection.ask("watch results\r\n");
  connection.ask("ignore default\r\n");
  const std::string body = job_body();
  Outcome outcome;
  outcome.checksum_ok = true;
  std::set<uint64_t> ids;
  const auto begin = Clock::now();
  for (int i = 0; i < options.jobs; ++i) {
    const auto start = Clock::now();
    connection.send_put(body);
    outcome.checksum_ok =
        ids.insert(Beanstalk::id_of(connection.line(), "INSERTED ")).second && outcome.checksum_ok;
    const uint64_t result = connection.reserve();
    outcome.latency_ns.push_back(ns_since(start));
    connection.remove(result);
  }
  outcome.per_second = per_second(options.jobs, begin);
  worker.join();
  return outcome;
}

// --- the disk ------------------------------------------------------------------------------------

// What one write and sync costs here: the floor under every durable figure.
Outcome disk_sync(const Options& options) {
  const std::string path = options.dir + "/sync_probe";
  const int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) die("cannot write in " + options.dir);
  const std::string block(512, 'x');
  Outcome outcome;
  outcome.checksum_ok = true;
  const auto begin = Clock::now();
  for (int i = 0; i < options.jobs; ++i) {
    const auto start = Clock::now();
    if (write(fd, block.data(), block.size()) != 512 || fdatasync(fd) != 0)
      die("write or sync failed");
    outcome.latency_ns.push_back(ns_since(start));
  }
  outcome.per_second = per_second(options.jobs, begin);
  close(fd);
  unlink(path.c_str());
  return outcome;
}

int64_t quantile(std::vector<int64_t>& sorted, double q) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1,
                         static_cast<size_t>(q * static_cast<double>(sorted.size())))];
}

Options parse(int argc, char** argv) {
  if (argc < 3)
    die("usage: path_client zokio|beanstalkd|disk submit|finish|roundtrip|sync --key value...");
  Options options;
  options.impl = argv[1];
  options.mode = argv[2];
  for (int i = 3; i + 1 < argc; i += 2) {
    const std::string_view key = argv[i];
    const char* value = argv[i + 1];
    if (key == "--address")
      options.address = value;
    else if (key == "--dir")
      options.dir = value;
    else if (key == "--port")
      options.port = std::atoi(value);
    else if (key == "--clients")
      options.clients = std::atoi(value);
    else if (key == "--jobs")
      options.jobs = std::atoi(value);
    else
      die("unknown option " + std::string(key));
  }
  if (options.clients < 1 || options.jobs < options.clients) die("want 1 <= clients <= jobs");
  return options;
}

Outcome measure(const Options& options) {
  if (options.impl == "disk") return disk_sync(options);
  const bool ours = options.impl == "zokio";
  if (!ours && options.impl != "beanstalkd") die("unknown implementation " + options.impl);
  if (options.mode == "roundtrip")
    return ours ? zokio_roundtrip(options) : beanstalk_roundtrip(options);
  const bool finish = options.mode == "finish";
  if (!finish && options.mode != "submit") die("unknown mode " + options.mode);
  return ours ? zokio_submit(options, finish) : beanstalk_submit(options, finish);
}

}  // namespace

int main(int argc, char** argv) {
  Outcome outcome = measure(parse(argc, argv));
  std::ranges::sort(outcome.latency_ns);
  std::printf("{\"per_second\": %.2f, \"p50_ns\": %lld, \"p99_ns\": %lld, \"checksum_ok\": %s}\n",
              outcome.per_second, static_cast<long long>(quantile(outcome.latency_ns, 0.50)),
              static_cast<long long>(quantile(outcome.latency_ns, 0.99)),
              outcome.checksum_ok ? "true" : "false");
  return outcome.checksum_ok ? 0 : 3;
}
