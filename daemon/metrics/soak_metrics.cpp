// SPDX-License-Identifier: Apache-2.0
// The soak's progress and verdict.

#include <array>

#include "metrics/collect.h"

namespace zokiod::metrics {
namespace {

constexpr std::array kStates = {soak::CheckState::Pass, soak::CheckState::Fail,
                                soak::CheckState::Inconclusive};

}  // namespace

void collect_soak(Families& out, const Figures& figures) {
  const soak::Figures& s = figures.soak;
  out.gauge("zokio_soak_running", "1 while a soak runs.").add(uint64_t{s.running});
  out.gauge("zokio_soak_start_timestamp_seconds",
            "When the current or last soak began (unix time); 0 when none has.")
      .add(static_cast<double>(s.start_unix_ms) / 1e3);
  out.gauge("zokio_soak_check_state", "1 for the state a check of the soak is in.");
  for (const soak::Figures::CheckFigure& check : s.checks) {
    for (const soak::CheckState state : kStates) {
      out.add(uint64_t{check.judged && check.state == state},
              {{"check", check.name}, {"state", std::string(soak::to_string(state))}});
    }
  }
  out.gauge("zokio_soak_slope_per_second", "Growth of a resource, as last judged, by second.");
  for (const soak::Figures::Slope& slope : s.slopes) {
    out.add(slope.per_second, {{"resource", slope.resource}});
  }
  out.counter("zokio_soak_faults_injected_total", "Faults a soak injected into this process.")
      .add(s.leak_faults, {{"fault", "leak"}})
      .add(s.dropped_jobs, {{"fault", "drop-job"}});
  out.counter("zokio_soak_resizes_total", "Resizes a soak made.").add(s.resizes);
  out.gauge("zokio_soak_sampler_overhead_ratio", "Processor time of the sampler by elapsed time.")
      .add(s.sampler_overhead_ratio);
}

}  // namespace zokiod::metrics
