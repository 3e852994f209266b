// SPDX-License-Identifier: Apache-2.0
#pragma once

// The figures of the soak engine that are exported, copied at one moment. Every check and every
// resource has its row from the start, also when no soak has run. Thread: values.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "soak/verdict.h"

namespace zokiod::soak {

struct Figures {
  bool running = false;
  int64_t start_unix_ms = 0;  // of the current or last soak; 0: none yet

  struct CheckFigure {
    std::string name;
    bool judged = false;  // false: no soak has been judged yet
    CheckState state = CheckState::Inconclusive;
  };
  std::vector<CheckFigure> checks;

  struct Slope {
    std::string resource;
    double per_second = 0;
  };
  std::vector<Slope> slopes;  // as last judged

  uint64_t leak_faults = 0;  // blocks leaked on purpose, since the process started
  uint64_t dropped_jobs = 0;
  uint64_t resizes = 0;
  double sampler_overhead_ratio = 0;  // processor time of the sampler by elapsed time
};

}  // namespace zokiod::soak
