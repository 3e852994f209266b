// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a soak will do, as data: how long, how much, when to resize what, and the limits it is
// judged by. Everything random follows from the seed. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/job_spec.h"
#include "model/report.h"
#include "zokio/base/clock.h"

namespace zokiod::soak {

// What a client asks for. Zero and empty mean the default of the profile.
struct StartRequest {
  std::string profile;  // "smoke"
  zokio::Duration duration{};
  uint64_t seed = 0;
  double rate = 0;                  // jobs per second
  std::vector<std::string> inject;  // "leak=256Ki/s", "drop-job": a test of the soak itself
};

struct Inject {
  uint64_t leak_bytes_per_second = 0;  // 0: none
  bool drop_job = false;               // one job is acknowledged and never handed on
  bool any() const { return leak_bytes_per_second != 0 || drop_job; }
};

// What the checks compare with.
struct Limits {
  double rss_bytes_per_second = 0;
  double heap_bytes_per_second = 0;
  double unaccounted_bytes_per_second = 0;
  double fds_per_second = 0;
  double threads_per_second = 0;
  double pool_hit_ratio = 0.95;
  // A latency may grow by this share of its first quarter or by the floor, whichever is more: the
  // floors are what a busy shared machine adds by itself.
  double drift_ratio = 0.25;
  double sched_floor_s = 0.050;
  double io_floor_s = 0.100;
  double job_floor_s = 0.500;
  double achieved_ratio = 0.98;  // of the offered load
  double missing_ratio = 0.01;   // of the samples
  double sample_gap_s = 5;
  double sampler_overhead = 0.005;  // processor time by elapsed time
  double resize_seconds = 10;       // each one converged
};

// Sizes that the schedule moves between; the baseline is what the daemon had.
struct Sizes {
  uint32_t workers = 0;
  uint32_t reactors = 0;
  uint64_t frames_limit = 0;
  uint64_t buffers_limit = 0;
  friend bool operator==(const Sizes&, const Sizes&) = default;
};

struct ResizeStep {
  double at_s = 0;  // since the start of the soak
  Sizes sizes;
  bool baseline = false;
};

struct Plan {
  std::string profile;
  uint64_t seed = 0;
  double duration_s = 0;
  double warmup_s = 0;
  double sample_s = 1;
  double rate = 0;            // jobs per second after the warm-up
  Sizes baseline;             // what the daemon had, and has again at the end
  double resize_every_s = 0;  // away from the baseline, and back after the same time
  bool with_exec = false;
  std::string checksum_dir;  // empty: no file.checksum
  Inject inject;
  Limits limits;
  std::vector<ResizeStep> resizes;
};

// What is known of the daemon when a plan is made.
struct Situation {
  Sizes baseline;
  uint32_t cores = 1;
  bool faults_allowed = false;
  bool exec_allowed = false;
  std::string checksum_dir;
};

// Errors: INVALID_FIELD (unknown profile, duration under 30 s or over 7 days, a rate that is not
// positive, an unknown fault), PERMISSION_DENIED/FAULTS_NOT_ALLOWED.
model::Reported<Plan> make_plan(const StartRequest& request, const Situation& situation);

// "leak=256Ki/s" or "drop-job" into `inject`; false when it is neither.
bool parse_inject(std::string_view text, Inject& inject);

// The faults of `inject` in the spelling that parse_inject takes.
std::vector<std::string> inject_names(const Inject& inject);

// The n-th job of a plan: kinds by weight, each spec one of a few variants, so that equal specs
// come again and must give equal checksums.
model::JobSpec job_at(const Plan& plan, uint64_t n);
// The same with little work: the warm-up fills bounded histories (finished jobs, events) with
// these. Records of the same kinds and sizes, so that replacing them later moves no memory.
model::JobSpec filler_at(const Plan& plan, uint64_t n);

}  // namespace zokiod::soak
