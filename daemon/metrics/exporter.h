// SPDX-License-Identifier: Apache-2.0
#pragma once

// The exposition: one snapshot of each subsystem at a scrape, turned into metric families.
//
// Nothing is counted here and nothing is kept between scrapes: every figure has its source in the
// subsystem that owns it. daemon/docs/metrics.md lists them; a test compares the two.
// Thread: any; scrapes may overlap.

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "metrics/figures.h"

namespace zokiod::metrics {

// The families of one moment, without those of the scrape itself. Pure.
std::vector<prometheus::MetricFamily> families_of(const Figures& figures);

class Exporter : public prometheus::Collectable {
 public:
  // Every source must be set and stay callable while the exporter lives.
  explicit Exporter(Sources sources);

  // Adds zokio_scrape_duration_seconds and zokio_metrics_series of this very scrape.
  std::vector<prometheus::MetricFamily> Collect() const override;
  // The text format, version 0.0.4.
  std::string text() const;
  Figures gather() const;

 private:
  Sources sources_;
};

}  // namespace zokiod::metrics
