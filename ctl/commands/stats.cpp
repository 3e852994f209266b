// SPDX-License-Identifier: Apache-2.0
// zokioctl stats: GetStats as tables, or as it is.
#include <algorithm>
#include <array>
#include <ostream>
#include <string_view>
#include <thread>

#include "commands/command.h"
#include "interrupt.h"
#include "units.h"

namespace zokioctl {
namespace {

struct Options {
  std::vector<std::string> sections;
  std::chrono::nanoseconds every{};
};

constexpr std::array kSections = {"scheduler", "pools", "classes", "reactors",
                                  "io",        "jobs",  "process", "rpc"};

std::string ns(uint64_t value) {
  return format_duration(std::chrono::nanoseconds(static_cast<int64_t>(value)));
}

std::string spread(const v1::DurationSummary& summary) {
  if (summary.count() == 0) return "-";
  return "p50 " + ns(summary.p50_ns()) + ", p99 " + ns(summary.p99_ns()) + ", max " +
         ns(summary.max_ns());
}

std::string count(uint64_t value) {
  return std::to_string(value);
}

std::string share(uint64_t part, uint64_t all) {
  if (all == 0) return "-";
  char text[16];
  std::snprintf(text, sizeof text, "%.1f%%",
                100.0 * static_cast<double>(part) / static_cast<double>(all));
  return text;
}

std::string worker_state(v1::WorkerStats::State state) {
  switch (state) {
    case v1::WorkerStats::STATE_RUNNING:
      return "running";
    case v1::WorkerStats::STATE_PARKED:
      return "parked";
    case v1::WorkerStats::STATE_RETIRING:
      return "retiring";
    default:
      return "empty";
  }
}

std::string reactor_state(v1::ReactorStats::State state) {
  switch (state) {
    case v1::ReactorStats::STATE_ACTIVE:
      return "active";
    case v1::ReactorStats::STATE_DRAINING:
      return "draining";
    default:
      return "empty";
  }
}

void print_scheduler(Context& context, const v1::SchedulerStats& stats) {
  auto& out = context.out;
  out << "scheduler: " << stats.workers_desired() << " workers, " << stats.tasks_alive()
      << " tasks alive, " << stats.tasks_spawned() << " spawned (" << stats.tasks_finished_ok()
      << " ok, " << stats.tasks_finished_error() << " error, " << stats.tasks_finished_cancelled()
      << " cancelled)\n"
      << "  queued from outside " << stats.injector_depth() << ", blocking calls "
      << stats.blocking_depth() << " waiting on " << stats.blocking_busy() << "/"
      << stats.blocking_threads() << " threads, timers " << stats.timers_pending() << '\n'
      << "  ready to running " << spread(stats.delay()) << '\n'
      << "  one poll         " << spread(stats.poll()) << '\n';
  if (stats.stalls() > 0)
    out << "  stalls " << stats.stalls() << ", the longest " << ns(stats.stall_longest_ns())
        << "; extra workers for stuck ones now " << stats.workers_extra() << '\n';
  if (stats.cpu_quota() > 0)
    out << "  the cgroup pays for " << stats.cpu_quota() << " processors\n";
  Table table(
      {"WORKER", "STATE", "QUEUE", "POLLS", "BUSY", "PARKS", "STOLEN", "LOCAL", "IO", "TIMER"});
  for (const auto& w : stats.workers())
    table.add({count(w.slot()), worker_state(w.state()), count(w.queue_depth()), count(w.polls()),
               ns(w.busy_ns()), count(w.parks()), count(w.stolen_tasks()),
               count(w.scheduled_local()), count(w.scheduled_io()), count(w.scheduled_timer())});
  table.print(out, context.color_out);
}

void print_pools(Context& context, const v1::Stats& stats) {
  Table table({"POOL", "LIMIT", "IN USE", "CACHED", "PEAK", "OBJECTS", "HIT RATE", "FROM OS",
               "RELEASED", "REFUSED"});
  for (const auto& p : stats.pools()) {
    const uint64_t hits = p.hits_thread() + p.hits_shared();
    table.add({p.name() + (p.shrinking() ? " (shrinking)" : ""),
               p.limit_bytes() ? format_bytes(p.limit_bytes()) : "none",
               format_bytes(p.in_use_bytes()), format_bytes(p.cached_bytes()),
               format_bytes(p.high_water_bytes()), count(p.objects_in_use()),
               share(hits, hits + p.misses_os()), count(p.misses_os()),
               format_bytes(p.released_bytes()), count(p.failures_limit() + p.failures_os())});
  }
  table.print(context.out, context.color_out);
}

std::string percent(double part) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f%%", 100.0 * part);
  return text;
}

// Where the memory of a pool is, and what its allocations cost.
void print_pool_use(Context& context, const v1::Stats& stats) {
  Table table({"POOL", "COMMITTED", "ASKED FOR", "STRANDED", "FRAGMENTED", "UTILISED", "REFILLS",
               "FLUSHES", "REMOTE FREES", "LOCKS", "CONTENDED", "P50", "P99"});
  for (const auto& p : stats.pools())
    table.add({p.name(), format_bytes(p.committed_bytes()), format_bytes(p.requested_bytes()),
               format_bytes(p.stranded_bytes()), percent(p.fragmentation()),
               percent(p.utilisation()), count(p.refills()), count(p.flushes()),
               count(p.remote_frees()), count(p.central_locks()), count(p.central_contended()),
               ns(p.allocation_p50_ns()), ns(p.allocation_p99_ns())});
  table.print(context.out, context.color_out);
}

void print_classes(Context& context, const v1::Stats& stats) {
  Table table({"POOL", "BLOCK", "IN USE", "CACHED", "PEAK", "OBJECTS", "HIT RATE", "REUSED",
               "FRAGMENTED", "STRANDED", "REFILLS", "FLUSHES", "REMOTE FREES", "LOCKS",
               "CONTENDED"});
  for (const auto& p : stats.pools()) {
    for (const auto& c : p.classes())
      table.add({p.name(), count(c.block_bytes()), format_bytes(c.in_use_bytes()),
                 format_bytes(c.cached_bytes()), format_bytes(c.high_water_bytes()),
                 count(c.objects_in_use()), percent(c.hit_rate()), percent(c.reuse_rate()),
                 percent(c.fragmentation()), format_bytes(c.stranded_bytes()), count(c.refills()),
                 count(c.flushes()), count(c.remote_frees()), count(c.central_locks()),
                 count(c.central_contended())});
  }
  table.print(context.out, context.color_out);
}

void print_reactors(Context& context, const v1::IoStats& stats) {
  context.out << "reactors: " << stats.reactors_desired() << ", " << stats.backend();
  if (!stats.fallback_reason().empty()) context.out << " because " << stats.fallback_reason();
  context.out << '\n';
  Table table({"REACTOR", "STATE", "BACKEND", "HOST", "INFLIGHT", "SUBMITTED", "ENTERS", "REMOTE",
               "BELLS", "FULL", "FEATURES"});
  for (const auto& r : stats.reactors())
    table.add({count(r.slot()), reactor_state(r.state()), r.backend(), r.host(),
               count(r.inflight()), count(r.submissions()), count(r.enters()),
               count(r.remote_ops()), count(r.bells()), count(r.sq_full() + r.cq_overflows()),
               r.features()});
  table.print(context.out, context.color_out);
}

void print_io(Context& context, const v1::IoStats& stats) {
  Table table({"OPERATION", "BACKEND", "OK", "ERROR", "CANCELLED", "BYTES", "DURATION"});
  for (const auto& op : stats.ops())
    if (op.ok() + op.error() + op.cancelled() > 0)
      table.add({op.op(), op.backend(), count(op.ok()), count(op.error()), count(op.cancelled()),
                 format_bytes(op.bytes()), spread(op.duration())});
  if (table.empty())
    context.out << "io: no operations yet\n";
  else
    table.print(context.out, context.color_out);
  if (stats.file_ops_blocking() > 0)
    context.out << "  on blocking threads: " << stats.file_ops_blocking() << " file operations\n";
}

void print_jobs(Context& context, const v1::JobsStats& stats) {
  const auto& journal = stats.journal();
  context.out << "jobs: " << stats.state() << ", " << stats.running() << " running (at most "
              << stats.concurrency() << "), " << stats.queued() << " queued (at most "
              << stats.queue_limit() << "), revision " << stats.revision() << '\n'
              << "  journal: " << (journal.durable() ? "durable" : "in memory only") << ", "
              << (journal.healthy() ? "healthy" : "FAILED: " + journal.error()) << ", "
              << journal.writes() << " writes in " << journal.commits() << " commits, "
              << format_bytes(journal.size_bytes()) << ", acknowledge " << spread(journal.append())
              << '\n'
              << "  lost " << stats.lost() << ", run twice " << stats.duplicate_executions()
              << '\n';
  for (const auto& [reason, refused] : stats.rejected())
    if (refused > 0) context.out << "  refused " << reason << ": " << refused << '\n';
  Table table({"KIND", "QUEUED", "RUNNING", "RETRYING", "SUCCEEDED", "FAILED", "CANCELLED",
               "TIMED OUT", "INTERRUPTED", "WAITED", "RAN"});
  for (const auto& k : stats.kinds())
    table.add({k.kind() + (k.allowed() ? "" : " (not allowed)"), count(k.queued()),
               count(k.running()), count(k.retrying()), count(k.finished_succeeded()),
               count(k.finished_failed()), count(k.finished_cancelled()),
               count(k.finished_timed_out()), count(k.finished_interrupted()),
               spread(k.queue_wait()), spread(k.run())});
  table.print(context.out, context.color_out);
}

void print_process(Context& context, const v1::ProcessStats& stats) {
  context.out << "process: pid " << stats.pid() << ", up "
              << format_duration(std::chrono::seconds(stats.uptime().seconds())) << ", cpu "
              << ns(stats.cpu_ns()) << '\n'
              << "  resident " << format_bytes(stats.resident_bytes()) << " (anonymous "
              << format_bytes(stats.resident_anon_bytes()) << ", swapped "
              << format_bytes(stats.swap_bytes()) << "), " << stats.threads() << " threads, "
              << stats.open_fds() << " of " << stats.max_fds() << " files open\n";
}

void print_rpc(Context& context, const v1::RpcStats& stats) {
  context.out << "rpc: " << stats.connections_accepted() << " connections, " << stats.calls_active()
              << " calls active, " << stats.calls_denied() << " denied\n";
  Table table({"METHOD", "OK", "ERRORS", "DURATION"});
  for (const auto& m : stats.methods()) {
    uint64_t ok = 0;
    uint64_t errors = 0;
    for (const auto& [code, calls] : m.handled()) (code == "OK" ? ok : errors) += calls;
    if (ok + errors > 0) table.add({m.method(), count(ok), count(errors), spread(m.handling())});
  }
  if (!table.empty()) table.print(context.out, context.color_out);
}

bool wanted(const Options& options, std::string_view section) {
  return options.sections.empty() || std::find(options.sections.begin(), options.sections.end(),
                                               section) != options.sections.end();
}

void print(Context& context, const Options& options, const v1::Stats& stats) {
  if (context.format == Format::Json || context.format == Format::Jsonl) {
    if (options.every.count() > 0)
      context.out << json_line(stats) << '\n';
    else
      print_json(context, stats);
  } else {
    if (wanted(options, "scheduler")) print_scheduler(context, stats.scheduler());
    if (wanted(options, "pools")) {
      print_pools(context, stats);
      print_pool_use(context, stats);
    }
    // Long, so only when it is asked for by name.
    if (!options.sections.empty() && wanted(options, "classes")) print_classes(context, stats);
    if (wanted(options, "reactors")) print_reactors(context, stats.io());
    if (wanted(options, "io")) print_io(context, stats.io());
    if (wanted(options, "jobs")) print_jobs(context, stats.jobs());
    if (wanted(options, "process")) print_process(context, stats.process());
    if (wanted(options, "rpc")) print_rpc(context, stats.rpc());
  }
  context.out.flush();
}

int run(Context& context, const Options& options) {
  std::unique_ptr<Interrupt> interrupt;
  if (options.every.count() > 0) interrupt = std::make_unique<Interrupt>();
  // With --watch until Ctrl-C.
  while (true) {
    v1::GetStatsResponse response;
    auto call = call_for(context.timeout);
    const auto status = context.client().stats().GetStats(call.get(), {}, &response);
    if (!status.ok()) return context.report(status);
    print(context, options, response.stats());
    if (!interrupt) return kExitOk;
    if (interrupt->wait(options.every)) return kExitInterrupted;
    if (context.format == Format::Table) context.out << '\n';
  }
}

}  // namespace

void add_stats(CLI::App& app, Context& context, Action& action) {
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("stats", "Every figure of zokiod, of this moment");
  std::vector<std::string> names(kSections.begin(), kSections.end());
  command
      ->add_option("section", options->sections,
                   "scheduler, pools, classes, reactors, io, jobs, process, rpc (all but classes)")
      ->check(CLI::IsMember(names).description(""));
  add_duration(*command, "--watch", options->every, "Again and again; Ctrl-C ends it");
  command->callback([&context, &action, options] {
    action = [&context, options] { return run(context, *options); };
  });
}

}  // namespace zokioctl
