// SPDX-License-Identifier: Apache-2.0

#include "soak/engine.h"

#include <sys/utsname.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>

#include "jobs/engine.h"
#include "soak/report.h"
#include "soak/run.h"
#include "zokio/base/assert.h"

namespace zokiod::soak {
namespace {

namespace fs = std::filesystem;
using zokio::Errc;

std::string first_line_after(const char* file, std::string_view key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const size_t colon = line.find(':');
    const size_t text = line.find_first_not_of(" \t", colon + 1);
    return colon == std::string::npos || text == std::string::npos ? "" : line.substr(text);
  }
  return "";
}

void describe_machine(std::map<std::string, std::string>& out) {
  utsname name{};
  if (uname(&name) == 0) out["kernel"] = std::string(name.sysname) + " " + name.release;
  out["processor"] = first_line_after("/proc/cpuinfo", "model name");
  out["cores"] = std::to_string(std::thread::hardware_concurrency());
  out["memory"] = first_line_after("/proc/meminfo", "MemTotal");
}

void describe_runtime(const zokio::RuntimeSnapshot& now, const Sizes& sizes,
                      std::map<std::string, std::string>& out) {
  out["io backend"] = now.io.backend;
  if (!now.io.fallback_reason.empty()) out["io_uring not used"] = now.io.fallback_reason;
  out["workers"] = std::to_string(sizes.workers);
  out["reactors"] = std::to_string(sizes.reactors);
  for (const zokio::ReactorSnapshot& r : now.io.reactors) {
    if (r.state == zokio::ReactorState::Active) out["reactor features"] = r.features;
  }
}

Sizes sizes_of(const zokio::RuntimeSnapshot& now) {
  Sizes sizes{.workers = now.scheduler.workers_desired, .reactors = now.io.reactors_desired};
  for (const zokio::PoolSnapshot& pool : now.pools) {
    if (pool.name == "frames") sizes.frames_limit = pool.limit_bytes;
    if (pool.name == "buffers") sizes.buffers_limit = pool.limit_bytes;
  }
  return sizes;
}

bool allowed(const jobs::EngineStats& stats, std::string_view kind) {
  for (const jobs::KindStats& k : stats.kinds) {
    if (k.kind == kind) return k.allowed;
  }
  return false;
}

std::string make_run_id(uint64_t seed) {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[64];
  std::snprintf(text, sizeof text, "%04d%02d%02d-%02d%02d%02d-%04x", utc.tm_year + 1900,
                utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                static_cast<unsigned>(seed & 0xffff));
  return text;
}

// A small tree for file.checksum: 16 files of 64 KiB. False when it cannot be written.
bool make_tree(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  std::mt19937_64 random(1);
  for (int i = 0; i < 16; ++i) {
    std::ofstream out(directory / ("block-" + std::to_string(i)), std::ios::binary);
    for (int word = 0; word < 8192; ++word) {
      const uint64_t value = random();
      out.write(reinterpret_cast<const char*>(&value), sizeof value);
    }
    if (!out.flush()) return false;
  }
  return true;
}

std::string_view file_of(Format format) {
  switch (format) {
    case Format::Html:
      return "report.html";
    case Format::Json:
      return "report.json";
    case Format::Markdown:
      return "summary.md";
    case Format::Csv:
      return "samples.csv";
  }
  return "report.json";
}

}  // namespace

struct Engine::Impl {
  EngineOptions options;
  Totals totals;
  std::mutex start_mutex;  // one start at a time
  mutable std::mutex mutex;
  std::shared_ptr<Run> run;  // guarded by mutex; the current or last one

  std::shared_ptr<Run> current() const {
    const std::lock_guard lock(mutex);
    return run;
  }
  model::Reported<std::shared_ptr<Run>> find(std::string_view run_id) const;
  model::Reported<Plan> plan(StartRequest request, std::string& run_id);
};

model::Reported<std::shared_ptr<Run>> Engine::Impl::find(std::string_view run_id) const {
  std::shared_ptr<Run> found = current();
  if (found && (run_id.empty() || run_id == found->id())) return found;
  return model::refuse(Errc::NotFound, "SOAK_NOT_FOUND",
                       run_id.empty()
                           ? "no soak has been started since the daemon started; reports "
                             "of earlier ones are below " +
                                 options.report_root
                           : "soak " + std::string(run_id) +
                                 " is not the current or last one; its report may be below " +
                                 options.report_root);
}

model::Reported<Plan> Engine::Impl::plan(StartRequest request, std::string& run_id) {
  if (request.seed == 0) request.seed = std::random_device{}() | 1u;
  run_id = make_run_id(request.seed);
  const jobs::EngineStats stats = options.jobs->stats();
  Situation situation{.baseline = sizes_of(options.runtime->stats()),
                      .faults_allowed = options.allow_faults,
                      .exec_allowed = allowed(stats, "exec"),
                      .checksum_dir = {}};
  if (stats.state != jobs::EngineState::Serving) {
    return model::refuse(Errc::Unavailable, model::reason::kDraining,
                         "the daemon is draining and takes no jobs");
  }
  const std::string root = options.checksum_root ? options.checksum_root() : "";
  if (!root.empty() && allowed(stats, "file.checksum")) {
    situation.checksum_dir = root + "/zokio-soak-" + run_id;
  }
  return make_plan(request, situation);
}

Engine::Engine(EngineOptions options) : impl_(std::make_unique<Impl>()) {
  ZOKIO_CHECK(options.jobs != nullptr && options.runtime != nullptr && options.process,
              "a soak needs the job engine, the runtime and the process figures");
  impl_->options = std::move(options);
  if (!impl_->options.resize) {
    zokio::Runtime* runtime = impl_->options.runtime;
    impl_->options.resize = [runtime](std::string_view component, uint64_t value) {
      if (component == "workers") {
        return runtime->resize_workers_blocking(static_cast<unsigned>(value));
      }
      if (component == "reactors") {
        return runtime->resize_reactors_blocking(static_cast<unsigned>(value));
      }
      return runtime->resize_pool(component.substr(component.find('.') + 1), value);
    };
  }
}

Engine::~Engine() {
  shutdown("the daemon stopped");
}

model::Reported<Status> Engine::start(const StartRequest& request) {
  const std::lock_guard starting(impl_->start_mutex);
  if (const auto last = impl_->current(); last && last->running()) {
    return model::refuse(Errc::FailedPrecondition, "SOAK_RUNNING",
                         "soak " + last->id() + " is running; stop it first");
  }
  std::string run_id;
  auto plan = impl_->plan(request, run_id);
  if (!plan) return std::unexpected(std::move(plan.error()));

  const fs::path directory = fs::path(impl_->options.report_root) / ("soak-" + run_id);
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return model::refuse(Errc::FailedPrecondition, "REPORT_DIR",
                         "cannot make " + directory.string() + ": " + error.message());
  }
  if (!plan->checksum_dir.empty() && !make_tree(plan->checksum_dir)) plan->checksum_dir.clear();

  EngineOptions options = impl_->options;
  describe_machine(options.environment);
  describe_runtime(options.runtime->stats(), plan->baseline, options.environment);
  auto run =
      std::make_shared<Run>(options, std::move(*plan), run_id, directory.string(), impl_->totals);
  run->start();
  const std::lock_guard lock(impl_->mutex);
  impl_->run = run;
  return run->status();
}

model::Reported<Status> Engine::status(std::string_view run_id) const {
  auto run = impl_->find(run_id);
  if (!run) return std::unexpected(std::move(run.error()));
  return (*run)->status();
}

model::Reported<Status> Engine::stop(std::string_view run_id, std::string reason) {
  auto run = impl_->find(run_id);
  if (!run) return std::unexpected(std::move(run.error()));
  (*run)->stop(reason.empty() ? "asked for by a client" : std::move(reason));
  return (*run)->status();
}

model::Reported<std::string> Engine::report(std::string_view run_id, Format format) const {
  auto run = impl_->find(run_id);
  if (!run) return std::unexpected(std::move(run.error()));
  const fs::path path = fs::path((*run)->directory()) / file_of(format);
  std::ifstream in(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (in.bad() || text.empty()) {
    return model::refuse(Errc::NotFound, "REPORT_NOT_WRITTEN",
                         path.string() +
                             " is not there yet; the first report is written after a "
                             "tenth of the soak, at most a minute");
  }
  return text;
}

void Engine::shutdown(std::string reason) {
  const std::lock_guard starting(impl_->start_mutex);
  if (const auto run = impl_->current()) {
    run->stop(std::move(reason), true);
    run->join();
  }
}

Figures Engine::figures() const {
  const auto run = impl_->current();
  Figures figures = run ? run->figures() : Figures{};
  if (figures.checks.empty()) {
    for (const std::string& name : check_names()) figures.checks.push_back({.name = name});
  }
  if (figures.slopes.empty()) {
    for (const char* resource : {"rss", "heap", "pool_unaccounted", "fds", "threads"}) {
      figures.slopes.push_back({resource, 0});
    }
  }
  figures.leak_faults = impl_->totals.leak_faults.load();
  figures.dropped_jobs = impl_->totals.dropped_jobs.load();
  figures.resizes = impl_->totals.resizes.load();
  return figures;
}

}  // namespace zokiod::soak
