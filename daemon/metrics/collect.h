// SPDX-License-Identifier: Apache-2.0
#pragma once

// One function for each part of the exposition; all are pure. Private to the module.

#include "metrics/families.h"
#include "metrics/figures.h"

namespace zokiod::metrics {

void collect_server(Families& out, const Figures& figures);
void collect_scheduler(Families& out, const Figures& figures);
void collect_pools(Families& out, const Figures& figures);
void collect_io(Families& out, const Figures& figures);
void collect_jobs(Families& out, const Figures& figures);
void collect_rpc(Families& out, const Figures& figures);
void collect_process(Families& out, const Figures& figures);
void collect_soak(Families& out, const Figures& figures);

}  // namespace zokiod::metrics
