// SPDX-License-Identifier: Apache-2.0
#pragma once

// The document of /api/v1/stats: the same figures as /metrics, shaped for a program that shows
// them.
//
// Counters are cumulative; a reader that wants a rate takes two documents. Histograms carry their
// non-empty buckets as [upper bound in ns, count], so that a reader can take quantiles of an
// interval. Fields are only ever added; "schema" grows when one must change. Thread: pure.

#include <string>

#include "metrics/figures.h"

namespace zokiod::http {

std::string stats_json(const metrics::Figures& figures);

}  // namespace zokiod::http
