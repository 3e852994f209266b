// SPDX-License-Identifier: Apache-2.0

#include "metrics/exporter.h"

#include <prometheus/text_serializer.h>

#include <chrono>
#include <utility>

#include "metrics/collect.h"
#include "zokio/base/assert.h"

namespace zokiod::metrics {
namespace {

int64_t unix_ms_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

void collect_all(Families& out, const Figures& figures) {
  collect_server(out, figures);
  collect_scheduler(out, figures);
  collect_pools(out, figures);
  collect_io(out, figures);
  collect_jobs(out, figures);
  collect_rpc(out, figures);
  collect_process(out, figures);
  collect_soak(out, figures);
}

}  // namespace

Figures gather(const Sources& sources) {
  Figures figures;
  figures.runtime = sources.runtime();
  figures.process = sources.process();
  figures.jobs = sources.jobs();
  figures.soak = sources.soak();
  figures.server = sources.server();
  figures.unix_ms = unix_ms_now();
  return figures;
}

std::vector<prometheus::MetricFamily> families_of(const Figures& figures) {
  Families out;
  collect_all(out, figures);
  return out.take();
}

Exporter::Exporter(Sources sources) : sources_(std::move(sources)) {
  ZOKIO_CHECK(
      sources_.runtime && sources_.process && sources_.jobs && sources_.soak && sources_.server,
      "every source of metrics must be set");
}

Figures Exporter::gather() const {
  return metrics::gather(sources_);
}

std::vector<prometheus::MetricFamily> Exporter::Collect() const {
  const auto begin = std::chrono::steady_clock::now();
  Families out;
  collect_all(out, gather());
  const size_t series = out.series() + 2;  // and the two below
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  out.gauge("zokio_metrics_series", "Series of this exposition.").add(uint64_t{series});
  out.gauge("zokio_scrape_duration_seconds", "Time it took to collect this exposition.")
      .add(took.count());
  return out.take();
}

std::string Exporter::text() const {
  return prometheus::TextSerializer().Serialize(Collect());
}

}  // namespace zokiod::metrics
