// SPDX-License-Identifier: Apache-2.0
#pragma once

// One soak while it runs: three threads (conductor, load, resize) and the tasks that send jobs and
// follow their events. Private to the module.
//
//   conductor  samples on a fixed grid, judges and writes the report, ends the run
//   load       sends what is due; first as many small jobs as fill the bounded histories
//   resize     walks the schedule of sizes
//
// Thread: start() once, then stop() and the readers from any thread; join() by the owner.

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "jobs/engine.h"
#include "soak/engine.h"
#include "soak/ledger.h"
#include "soak/sampler.h"
#include "zokio/base/clock.h"
#include "zokio/task/task.h"

namespace zokiod::soak {

// Lives as long as the process: what the exporter counts must not start again with each soak.
struct Totals {
  std::atomic<uint64_t> leak_faults{0};
  std::atomic<uint64_t> dropped_jobs{0};
  std::atomic<uint64_t> resizes{0};
};

class Run : public std::enable_shared_from_this<Run> {
 public:
  Run(const EngineOptions& options, Plan plan, std::string run_id, std::string directory,
      Totals& totals);
  ~Run();

  void start();
  // `hurry`: the daemon is going; jobs under way are not waited for, and not held against it.
  void stop(std::string reason, bool hurry = false);
  void join();

  bool running() const { return !done_.load(); }
  const std::string& id() const { return run_id_; }
  const std::string& directory() const { return directory_; }
  // Without samples.
  Status status() const;
  Figures figures() const;

 private:
  // Conductor.
  void conduct();
  void sample_until_end();
  void take_sample();
  void leak(double seconds);
  void judge_and_write();
  void settle();
  bool engine_leaves() const;
  bool all_unknown() const;
  void reconcile();
  // Load.
  void load();
  void fill_histories();
  void offer(model::JobSpec spec, int64_t due_ns);
  bool histories_full() const;
  bool take_drop();
  static zokio::Task<void> send(std::shared_ptr<Run> self, model::JobSpec spec, int64_t due_ns);
  static zokio::Task<void> follow(std::shared_ptr<Run> self,
                                  std::unique_ptr<jobs::Subscription> events);
  bool follow_events();
  void look_at_result(const model::JobId& id);
  void account(const model::Job& job);
  // Resize.
  void resize();
  void apply(const Sizes& sizes, bool baseline);
  void apply_one(const char* component, uint64_t from, uint64_t to, bool baseline);

  double elapsed() const;
  // Waits until `at_s` of the run's clock, or until the run is to end. False: it is to end.
  bool wait_until(double at_s);
  bool ending() const { return ending_.load(); }

  // Constant after construction.
  const EngineOptions options_;
  const Plan plan_;
  const std::string run_id_;
  const std::string directory_;
  Totals& totals_;
  zokio::Instant started_;
  int64_t start_unix_ms_ = 0;

  Ledger ledger_;
  std::atomic<bool> ending_{false};  // no more load, no more resizes
  std::atomic<bool> hurry_{false};
  std::atomic<bool> follow_ends_{false};
  std::atomic<bool> done_{false};
  std::atomic<int> tasks_{0};                  // send and follow tasks alive
  std::atomic<int> sends_{0};                  // submits without an answer
  std::atomic<int64_t> baseline_since_ns_{0};  // 0: sizes are others
  std::atomic<bool> dropped_{false};

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  Record record_;  // its samples stay empty: they are the conductor's
  Verdict verdict_;
  bool judged_ = false;

  // Conductor only.
  Sampler sampler_;
  std::vector<Sample> samples_;
  std::vector<std::unique_ptr<char[]>> leaked_;
  jobs::EngineStats before_;

  // Resize thread only.
  Sizes sizes_;

  std::thread conductor_;
  std::thread load_;
  std::thread resize_;
};

}  // namespace zokiod::soak
