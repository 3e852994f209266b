// SPDX-License-Identifier: Apache-2.0
#include "daemon.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <malloc.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "config/queue_line.h"
#include "http/stats_json.h"
#include "kinds/children.h"
#include "kinds/kind.h"
#include "lifecycle/heartbeat.h"
#include "lifecycle/log.h"
#include "lifecycle/reaper.h"
#include "metrics/build_info.h"
#include "metrics/exporter.h"
#include "rpc/soak_service.h"
#include "store/memory_journal.h"
#include "store/sqlite_journal.h"
#include "zokio/mem/pools.h"
#include "zokio/os/process_stats.h"

namespace zokiod {
namespace {

using model::Report;
using model::Reported;
using zokio::Errc;

// Without a watchdog of systemd, /livez has this for its limit.
constexpr zokio::Duration kStuckLimit = std::chrono::seconds(10);
// How often the keeper looks at everything.
constexpr zokio::Duration kTick = std::chrono::seconds(1);
// Of the C library; the pools of the runtime and the caches of each thread take most requests.
constexpr int kMallocArenas = 2;
// After the drain: for calls that are still being answered.
constexpr zokio::Duration kCallGrace = std::chrono::seconds(1);
// After the engine stopped, nothing but the servers' own tasks is left.
constexpr zokio::Duration kRuntimeGrace = std::chrono::seconds(10);
// After the second request to stop: for what ends commands (TERM, 5 s, KILL) and commits results.
constexpr unsigned kForcedExitSeconds = 10;

// A daemon that was killed while it started a command leaves a child that holds its lock and its
// sockets until it has become that command: on a loaded machine that takes a moment.
constexpr zokio::Duration kPredecessorGrace = std::chrono::seconds(5);
constexpr std::chrono::milliseconds kPredecessorPoll{20};

bool held_by_another(const Report& report) {
  return report.reason == "STORE_IN_USE" || report.reason == "SOCKET_IN_USE" ||
         report.error.os_errno == EADDRINUSE;
}

int64_t unix_ms() {
  return model::WallTime::now().unix_ns / 1'000'000;
}

zokio::RuntimeOptions runtime_options(const config::Config& c) {
  zokio::RuntimeOptions out;
  out.workers = c.workers;
  out.reactors = c.reactors;
  out.memory_limit = c.memory_limit.count;
  out.backend = c.io.backend == "uring"   ? zokio::Backend::Uring
                : c.io.backend == "epoll" ? zokio::Backend::Epoll
                                          : zokio::Backend::Auto;
  out.follow_cpu_quota = out.follow_memory = c.autosize == "cgroup";
  out.placement =
      c.io.placement == "dedicated" ? zokio::Placement::Dedicated : zokio::Placement::Inline;
  out.ring_entries = c.io.ring_entries;
  out.receive_buffers = c.io.receive_buffers;
  out.blocking_threads = c.io.blocking_threads;
  return out;
}

// What the pools keep, and what they do when they are full; the check of the file refused the rest.
void set_up_pools(const config::PoolsConfig& c) {
  using zokio::mem::set_settings;
  const auto policy = [](const std::string& name) {
    return zokio::mem::find_when_full(name).value_or(zokio::mem::WhenFull::Fail);
  };
  (void)set_settings("frames", {c.frames_thread_cache.count, c.frames_central_cache.count,
                                zokio::mem::WhenFull::Overflow});
  (void)set_settings("buffers", {c.buffers_thread_cache.count, c.buffers_central_cache.count,
                                 policy(c.buffers_when_full)});
  (void)set_settings(
      "heap", {c.heap_thread_cache.count, c.heap_central_cache.count, policy(c.heap_when_full)});
  zokio::mem::set_decay(c.decay.value);
  zokio::mem::set_huge_pages(c.huge_pages);
}

jobs::EngineLimits engine_limits(const config::Config& c) {
  return {c.jobs.concurrency, c.jobs.queue_limit, c.jobs.retain_finished,
          c.jobs.output_limit.count};
}

// The lines were checked with the rest of the configuration.
std::vector<model::QueueSpec> queues_of(const config::Config& c) {
  std::vector<model::QueueSpec> out;
  for (const std::string& text : c.jobs.queues) {
    const auto line = config::parse_queue_line(text);
    if (!line) continue;
    model::QueueSpec& spec = out.emplace_back();
    spec.name = line->name;
    spec.priority = line->priority;
    spec.shares = line->shares;
    spec.concurrency = line->concurrency;
    spec.size_limit = line->size_limit;
    spec.rate = line->rate;
    spec.rate_interval = line->rate_interval;
    spec.burst = line->burst;
    spec.origin = text;
  }
  return out;
}

std::shared_ptr<const kinds::Policy> policy_of(const config::Config& c) {
  return std::make_shared<kinds::Policy>(
      kinds::Policy{c.policy.exec_enabled, c.policy.roots, c.policy.exec_env, c.scratch_dir(),
                    c.policy.listen, c.policy.connect, c.policy.plugins});
}

// Makes `path` when it is missing, for its owner and group.
Reported<> make_directory(const std::string& path, mode_t mode) {
  std::error_code failed;
  const bool made = std::filesystem::create_directories(path, failed);
  if (!failed && made && ::chmod(path.c_str(), mode) != 0)
    failed.assign(errno, std::generic_category());
  if (failed)
    return model::refuse(
        model::make_report(zokio::Error::from_errno(failed.value(), "mkdir"), "directory " + path));
  return {};
}

Report config_invalid(const config::Problems& problems) {
  Report report =
      model::make_report(Errc::InvalidArgument, "CONFIG_INVALID",
                         fmt::format("{} problem{} in the configuration: {}", problems.size(),
                                     problems.size() == 1 ? "" : "s", problems[0].to_string()));
  for (const auto& problem : problems)
    report.violations.push_back({problem.origin.source, problem.to_string()});
  return report;
}

}  // namespace

Daemon::Daemon(DaemonOptions options)
    : request_(std::move(options.request)),
      ephemeral_(options.ephemeral),
      start_unix_ms_(unix_ms()),
      config_(std::move(options.config)),
      last_reload_unix_ms_(start_unix_ms_) {}

// The boot. Each step needs those before it; the first that fails ends the start, and what was
// built comes down in reverse.
Reported<std::unique_ptr<Daemon>> Daemon::start(DaemonOptions options) {
  auto daemon = std::unique_ptr<Daemon>(new Daemon(std::move(options)));
  using Step = Reported<> (Daemon::*)();
  constexpr Step kSteps[] = {
      &Daemon::take_over, &Daemon::make_directories, &Daemon::start_runtime, &Daemon::start_jobs,
      &Daemon::start_rpc, &Daemon::start_http,       &Daemon::start_signals};
  for (const Step step : kSteps) {
    const zokio::Instant until = zokio::Instant::now() + kPredecessorGrace;
    auto done = (daemon.get()->*step)();
    while (!done && held_by_another(done.error()) && zokio::Instant::now() < until) {
      std::unique_lock lock(daemon->mutex_);  // another process holds it: nothing will wake us
      daemon->wake_.wait_for(lock, kPredecessorPoll);
      lock.unlock();
      done = (daemon.get()->*step)();
    }
    if (!done) return std::unexpected(std::move(done.error()));
  }
  daemon->start_keeper();
  daemon->notifier_.ready(daemon->status_line());
  spdlog::info("ready: socket {}", daemon->rpc_->socket_path());
  return daemon;
}

// What the process that started us hands over, before any thread exists.
Reported<> Daemon::take_over() {
  // Records of jobs live long and are freed by other threads than made them. With an arena for each
  // thread the holes between them pile up: 45 MiB resident instead of 33 after 36,000 jobs.
  ::mallopt(M_ARENA_MAX, kMallocArenas);
  lifecycle::become_subreaper();
  const auto fd = lifecycle::take_listening_socket();
  if (!fd) return model::refuse(model::make_report(fd.error(), "LISTEN_FDS"));
  listen_fd_ = *fd;
  return {};
}

Reported<> Daemon::make_directories() {
  if (auto made = make_directory(config_.rpc.runtime_dir, 0750); !made) return made;
  if (auto made = make_directory(config_.state_dir, 0750); !made) return made;
  if (auto made = make_directory(config_.scratch_dir(), 0700); !made) return made;
  // Scratch files belong to attempts; none runs now.
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(config_.scratch_dir(), ignored))
    if (entry.path().extension() == ".scratch") std::filesystem::remove(entry.path(), ignored);
  return {};
}

Reported<> Daemon::start_runtime() {
  auto runtime = zokio::Runtime::create(runtime_options(config_));
  if (!runtime) return model::refuse(model::make_report(runtime.error(), "runtime"));
  runtime_ = *std::move(runtime);
  set_up_pools(config_.pools);
  runtime_->on_stall({}, [](const zokio::StallReport& stall) { spdlog::warn(stall.to_text()); });
  for (const auto& [pool, limit] : {std::pair("frames", config_.pools.frames_limit),
                                    std::pair("buffers", config_.pools.buffers_limit),
                                    std::pair("heap", config_.pools.heap_limit)}) {
    if (limit.count == 0) continue;
    if (auto set = runtime_->resize_pool(pool, limit.count, true); !set)
      return model::refuse(model::make_report(set.error(), fmt::format("pool {}", pool)));
  }
  const zokio::RuntimeSnapshot now = runtime_->stats();
  default_workers_ = now.scheduler.workers_desired;
  default_reactors_ = now.io.reactors_desired;
  spdlog::info("runtime: {} workers, {} reactors on {}{}", default_workers_, default_reactors_,
               now.io.backend,
               now.io.fallback_reason.empty() ? "" : " (" + now.io.fallback_reason + ")");
  return {};
}

Reported<> Daemon::start_jobs() {
  std::unique_ptr<store::Journal> journal;
  if (ephemeral_) {
    journal = store::make_memory_journal();
  } else {
    auto opened = store::open_sqlite_journal(config_.state_dir);
    if (!opened) return std::unexpected(std::move(opened.error()));
    journal = *std::move(opened);
  }
  store_ = std::make_unique<store::Store>(std::move(journal));
  auto engine = jobs::Engine::start(
      {runtime_.get(), store_.get(), engine_limits(config_), policy_of(config_),
       queues_of(config_)});
  if (!engine) return std::unexpected(std::move(engine.error()));
  engine_ = *std::move(engine);
  const auto recovery = engine_->stats().recovery;
  spdlog::info("jobs: {} read, {} queued of which {} were interrupted, {} retrying, {} finished{}",
               recovery.jobs, recovery.queued, recovery.interrupted, recovery.retrying,
               recovery.finished, ephemeral_ ? " (ephemeral: nothing is kept)" : "");
  control_ = std::make_unique<rpc::RuntimeControl>(*runtime_);
  soak::EngineOptions soak;
  soak.jobs = engine_.get();
  soak.runtime = runtime_.get();
  soak.report_root = config_.soak_dir();
  soak.allow_faults = config_.soak.allow_faults;
  soak.process = zokio::os::read_process_stats;
  soak.resize = [this](std::string_view component, uint64_t value) {
    return resize(component, value);
  };
  soak.checksum_root = [this] {
    std::lock_guard lock(mutex_);
    return config_.policy.roots.empty() ? std::string() : config_.policy.roots.front();
  };
  soak.environment = {{"version", metrics::kVersion},
                      {"revision", metrics::kRevision},
                      {"compiler", metrics::kCompiler}};
  soak_ = std::make_unique<soak::Engine>(std::move(soak));
  return {};
}

Reported<> Daemon::start_http() {
  if (config_.http.address.empty()) return {};
  http::ServerOptions options;
  const bool parsed = config::split_address(config_.http.address, options.host, options.port);
  if (!parsed) return model::refuse(Errc::InvalidArgument, "HTTP_ADDRESS", config_.http.address);
  auto exporter = std::make_shared<metrics::Exporter>(sources());
  http::Handlers handlers;
  handlers.metrics_text = [exporter] { return exporter->text(); };
  handlers.stats_json = [s = sources()] { return http::stats_json(metrics::gather(s)); };
  handlers.live = [this] { return live(); };
  handlers.ready = [this] { return ready(); };
  auto server = http::Server::start(options, std::move(handlers));
  if (!server)
    return model::refuse(model::make_report(server.error(), "http " + config_.http.address));
  http_ = *std::move(server);
  spdlog::info("http: {}:{}", options.host, http_->port());
  return {};
}

Reported<> Daemon::start_rpc() {
  rpc::ServerOptions options;
  options.socket_path = config_.socket_path();
  const std::string& mode = config_.rpc.socket_mode;
  std::from_chars(mode.data(), mode.data() + mode.size(), options.socket_mode, 8);
  options.socket_group = config_.rpc.socket_group;
  options.listen_fd = listen_fd_;
  options.message_limit_bytes = config_.rpc.message_limit.count;
  options.reflection = config_.rpc.reflection;
  options.allowed_uids = config_.policy.allowed_uids;
  options.allowed_gids = config_.policy.allowed_gids;
  options.version = metrics::kVersion;
  options.revision = metrics::kRevision;
  options.compiler = metrics::kCompiler;
  options.config_path = request_.path;
  rpc::Dependencies needs;
  needs.runtime = runtime_.get();
  needs.engine = engine_.get();
  needs.control = control_.get();
  needs.process = zokio::os::read_process_stats;
  needs.reload = [this](bool validate_only) { return reload(validate_only); };
  needs.on_drain = [this](zokio::Duration, const std::string& reason) {
    spdlog::info("drain: asked for over the API{}", reason.empty() ? "" : ": " + reason);
    wake_.notify_all();
  };
  needs.more_services.push_back(rpc::soak_service(*soak_));
  auto server = rpc::Server::start(std::move(options), std::move(needs));
  if (!server) return std::unexpected(std::move(server.error()));
  rpc_ = *std::move(server);
  return {};
}

Reported<> Daemon::start_signals() {
  lifecycle::SignalThread::Handlers handlers;
  handlers.stop = [this](int signal, unsigned times) { on_stop_signal(signal, times); };
  handlers.reload = [this] {
    if (auto done = reload(false); !done) {
      spdlog::error("reload refused: {}", done.error().message);
      for (const auto& v : done.error().violations) spdlog::error("  {}", v.description);
    }
  };
  handlers.child = [] {
    kinds::ChildTable::of_process().reap(
        [](const std::function<bool(pid_t)>& is_ours) { lifecycle::reap_orphans(is_ours); });
  };
  auto thread = lifecycle::SignalThread::start(std::move(handlers));
  if (!thread) return model::refuse(model::make_report(thread.error(), "signals"));
  signals_ = *std::move(thread);
  return {};
}

// --- while it serves ---

void Daemon::start_keeper() {
  keeper_ = std::thread([this] { keep(); });
}

// Also during the drain: the watchdog does not pause because we are about to leave.
void Daemon::keep() {
  ::pthread_setname_np(::pthread_self(), "zokiod-keeper");
  const zokio::Duration watchdog = notifier_.watchdog_interval();
  const zokio::Duration pause = watchdog.count() > 0 ? std::min(kTick, watchdog / 4) : kTick;
  std::unique_lock lock(mutex_);
  while (!keeper_quits_) {
    lock.unlock();
    tick();
    lock.lock();
    wake_.wait_for(lock, pause, [this] { return keeper_quits_; });
  }
}

void Daemon::tick() {
  const http::Health alive = live();
  rpc_->set_live(alive.ok);
  rpc_->set_ready(ready().ok);
  if (alive.ok)
    notifier_.watchdog();
  else
    spdlog::error("not alive: {}", fmt::join(alive.reasons, "; "));
  std::string line = status_line();
  std::lock_guard lock(mutex_);
  if (stopping_) notifier_.extend_timeout(kTick * 10);
  if (line == last_status_) return;
  notifier_.status(line);
  last_status_ = std::move(line);
}

http::Health Daemon::live() const {
  const zokio::Duration watchdog = notifier_.watchdog_interval();
  const zokio::Duration limit = watchdog.count() > 0 ? watchdog / 2 : kStuckLimit;
  http::Health out;
  out.reasons = lifecycle::stuck_parts(runtime_->stats().scheduler, store_->stats().heartbeat_ns,
                                       zokio::Instant::now().ns, limit);
  out.ok = out.reasons.empty();
  return out;
}

http::Health Daemon::ready() const {
  http::Health out;
  const jobs::DrainStatus drain = engine_->drain_status();
  if (drain.state != jobs::EngineState::Serving)
    out.reasons.push_back(fmt::format("{}: {} running, {} queued", jobs::to_string(drain.state),
                                      drain.running, drain.queued));
  const store::JournalStats journal = store_->stats();
  if (!journal.healthy) out.reasons.push_back("journal: " + journal.error);
  const uint64_t limit = engine_->limits().queue_limit;
  if (drain.queued + drain.running >= limit)
    out.reasons.push_back(fmt::format("queue full: {} jobs", limit));
  out.ok = out.reasons.empty();
  return out;
}

std::string Daemon::status_line() const {
  const jobs::DrainStatus s = engine_->drain_status();
  return fmt::format("{}: {} running, {} queued", jobs::to_string(s.state), s.running, s.queued);
}

metrics::RpcFigures Daemon::rpc_figures() const {
  metrics::RpcFigures out;
  const rpc::ServerStats stats = rpc_->stats();
  for (const rpc::MethodFigures& m : stats.methods) {
    metrics::RpcFigures::Method to{m.service, m.method, {}, m.handling_ns};
    for (size_t code = 0; code < rpc::kCodes; ++code)
      to.handled.emplace_back(rpc::code_name(code), m.handled[code]);
    out.methods.push_back(std::move(to));
  }
  out.calls_active = stats.calls_active;
  out.denied = stats.calls_denied;
  out.connections_accepted = stats.connections_accepted;
  out.connections_refused = stats.connections_refused;
  return out;
}

metrics::ServerFigures Daemon::server_figures() const {
  metrics::ServerFigures out;
  out.rpc = rpc_figures();
  const jobs::EngineState state = engine_->drain_status().state;
  const bool healthy = store_->stats().healthy;
  for (const rpc::ResizeFigures& f : control_->figures())
    out.resizes.push_back(
        {f.component, f.up_ok, f.up_failed, f.down_ok, f.down_failed, f.last_unix_ms});
  out.config_generation = control_->generation();
  std::lock_guard lock(mutex_);
  out.last_reload_ok = last_reload_ok_;
  out.last_reload_unix_ms = last_reload_unix_ms_;
  using S = metrics::ServerState;
  out.state = stopping_                             ? S::Stopping
              : state != jobs::EngineState::Serving ? S::Draining
              : !healthy                            ? S::Degraded
                                                    : S::Serving;
  return out;
}

metrics::Sources Daemon::sources() const {
  return {[this] { return runtime_->stats(); }, zokio::os::read_process_stats,
          [this] { return engine_->stats(); }, [this] { return soak_->figures(); },
          [this] { return server_figures(); }};
}

// The soak's resizes go the way of a client's. Not from a worker.
zokio::Result<zokio::ResizeReport> Daemon::resize(std::string_view component, uint64_t value) {
  rpc::RuntimeUpdate update;
  if (component == "workers")
    update.workers = static_cast<uint32_t>(value);
  else if (component == "reactors")
    update.reactors = static_cast<uint32_t>(value);
  else if (component.starts_with("pool."))
    update.pools.push_back({std::string(component.substr(5)), value});
  else
    return zokio::fail(Errc::NotFound, "resize");
  const auto done =
      runtime_->block_on([](rpc::RuntimeControl* control,
                            rpc::RuntimeUpdate u) { return control->update(std::move(u)); },
                         control_.get(), std::move(update));
  if (!done) return zokio::fail(done.error());
  if (!*done) return zokio::fail(done->error().error);
  if ((*done)->changes.empty()) {
    zokio::ResizeReport same;
    same.component = component;
    same.from = same.requested = same.reached = value;
    return same;
  }
  return (*done)->changes[0];
}

// --- reload ---

Reported<config::Diff> Daemon::reload(bool validate_only) {
  std::lock_guard one(reload_mutex_);
  const auto outcome = [&](bool ok) {
    std::lock_guard lock(mutex_);
    if (validate_only) return;
    last_reload_ok_ = ok;
    if (ok) last_reload_unix_ms_ = unix_ms();
  };
  const auto loaded = config::load(request_);
  if (!loaded) {
    outcome(false);
    return model::refuse(config_invalid(loaded.error()));
  }
  config::Config before;
  {
    std::lock_guard lock(mutex_);
    before = config_;
  }
  config::Diff diff = config::diff(before, *loaded);
  if (const auto keys = diff.restart_keys(); !keys.empty()) {
    outcome(false);
    Report report = model::make_report(
        Errc::FailedPrecondition, "RESTART_REQUIRED",
        fmt::format("changed, but only a new start takes it: {}", fmt::join(keys, ", ")));
    for (const auto key : keys) report.violations.push_back({std::string(key), "needs a restart"});
    return model::refuse(std::move(report));
  }
  if (validate_only) return diff;
  if (auto applied = apply(*loaded, diff); !applied) {
    outcome(false);
    return std::unexpected(std::move(applied.error()));
  }
  for (const auto& change : diff.changes)
    spdlog::info("reload: {} {} -> {}", change.key, change.from, change.to);
  if (diff.changes.empty()) spdlog::info("reload: nothing changed");
  outcome(true);
  return diff;
}

// The sizes first: only they can still be refused, and then nothing else has changed.
Reported<> Daemon::apply(const config::Config& to, const config::Diff& diff) {
  rpc::RuntimeUpdate update;
  if (diff.has("workers")) update.workers = to.workers ? to.workers : default_workers_;
  if (diff.has("reactors")) update.reactors = to.reactors ? to.reactors : default_reactors_;
  if (diff.has("io.ring_entries")) update.ring_entries = to.io.ring_entries;
  if (diff.has("io.receive_buffers")) update.receive_buffers = to.io.receive_buffers;
  if (diff.has("pools.frames_limit"))
    update.pools.push_back({"frames", to.pools.frames_limit.count});
  if (diff.has("pools.buffers_limit"))
    update.pools.push_back({"buffers", to.pools.buffers_limit.count});
  if (diff.has("memory_limit")) update.pools.push_back({"total", to.memory_limit.count});
  if (diff.has("pools.heap_limit")) update.pools.push_back({"heap", to.pools.heap_limit.count});
  if (update.workers || update.reactors || update.ring_entries || update.receive_buffers ||
      !update.pools.empty()) {
    const auto done =
        runtime_->block_on([](rpc::RuntimeControl* control,
                              rpc::RuntimeUpdate u) { return control->update(std::move(u)); },
                           control_.get(), std::move(update));
    if (!done) return model::refuse(model::make_report(done.error(), "resize"));
    if (!*done) return std::unexpected(done->error());
  }
  set_up_pools(to.pools);
  engine_->set_limits(engine_limits(to));
  engine_->set_policy(policy_of(to));
  engine_->set_configured_queues(queues_of(to));
  rpc_->set_allowed(to.policy.allowed_uids, to.policy.allowed_gids);
  lifecycle::set_log_level(to.log.level);
  std::lock_guard lock(mutex_);
  config_ = to;
  return {};
}

// --- the way down ---

// On the signal thread. The first asks run() to drain; the second takes the time away.
void Daemon::on_stop_signal(int signal, unsigned times) {
  const char* name = ::strsignal(signal);
  if (times == 1) {
    spdlog::info("{}: draining", name);
    std::lock_guard lock(mutex_);
    stop_asked_ = true;
    wake_.notify_all();
    return;
  }
  spdlog::warn("{} again: stopping at once", name);
  if (times > 2) std::_Exit(static_cast<int>(Exit::Forced));
  // What neither ends nor can be interrupted does not hold the process for longer.
  struct sigaction now{};
  now.sa_handler = [](int) { std::_Exit(static_cast<int>(Exit::Forced)); };
  ::sigaction(SIGALRM, &now, nullptr);
  ::alarm(kForcedExitSeconds);
  runtime_
      ->spawn([](jobs::Engine* engine) { return engine->drain({}, "second signal"); },
              engine_.get())
      .detach();
}

Exit Daemon::run() {
  {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stop_asked_; });
    stopping_ = true;
  }
  shut_down();
  return Exit::Stopped;
}

void Daemon::shut_down() {
  notifier_.stopping("draining");
  soak_->shutdown("the daemon stops");
  zokio::Duration deadline;
  {
    std::lock_guard lock(mutex_);
    deadline = config_.jobs.drain_timeout.value;
  }
  const auto drained = runtime_->block_on(
      [](jobs::Engine* engine, zokio::Duration d) { return engine->drain(d, "stopping"); },
      engine_.get(), std::move(deadline));
  if (drained)
    spdlog::info("drained: {} finished, {} interrupted, {} queued for the next start",
                 drained->finished, drained->interrupted, drained->queued);
}

// In the reverse of the boot. Also after a start that failed half way.
Daemon::~Daemon() {
  if (keeper_.joinable()) {
    {
      std::lock_guard lock(mutex_);
      keeper_quits_ = true;
      wake_.notify_all();
    }
    keeper_.join();
  }
  if (soak_) soak_->shutdown("the daemon stops");
  if (engine_) engine_->stop();  // ends every wait and watch of a client with its reason
  if (rpc_) rpc_->stop(kCallGrace);
  if (http_) http_->stop();
  soak_.reset();
  signals_.reset();  // a second signal is heard until here
  rpc_.reset();
  http_.reset();
  control_.reset();
  engine_.reset();
  // The writer wakes tasks: it ends before what it wakes them on. A task that still asks is
  // refused.
  if (store_) store_->close();
  if (runtime_ && !runtime_->shutdown(kRuntimeGrace))
    spdlog::error("tasks are left after {} s", kRuntimeGrace / std::chrono::seconds(1));
  runtime_.reset();
  spdlog::info("stopped");
}

}  // namespace zokiod
