// SPDX-License-Identifier: Apache-2.0
// zokioctl status: GetServerInfo, GetRuntime and GetStats on one screen.
#include <ostream>

#include "commands/command.h"
#include "job_view.h"
#include "units.h"

namespace zokioctl {
namespace {

void print(Context& context, const v1::GetServerInfoResponse& server, const v1::Runtime& runtime,
           const v1::Stats& stats) {
  auto& out = context.out;
  const auto& desired = runtime.desired();
  const auto& actual = runtime.actual();
  out << "zokiod " << server.version() << ", pid " << server.pid() << ", " << server.state()
      << ", since " << time_text(server.start_time()) << '\n';
  out << "workers   " << actual.workers() << " of " << desired.workers();
  if (actual.workers_retiring() > 0) out << ", " << actual.workers_retiring() << " retiring";
  out << '\n'
      << "reactors  " << actual.reactors() << " of " << desired.reactors() << ", "
      << actual.backend();
  if (!actual.fallback_reason().empty()) out << " (" << actual.fallback_reason() << ")";
  if (actual.ring_entries() != 0) out << ", rings of " << actual.ring_entries();
  if (actual.rings_draining() != 0) out << ", " << actual.rings_draining() << " old ones draining";
  out << '\n';
  for (const auto& pool : actual.pools())
    out << "pool      " << pool.name() << ": " << format_bytes(pool.in_use_bytes()) << " in use, "
        << format_bytes(pool.cached_bytes()) << " cached, limit "
        << (pool.limit_bytes() ? format_bytes(pool.limit_bytes()) : "none") << '\n';
  out << "jobs      " << stats.jobs().running() << " running, " << stats.jobs().queued()
      << " queued, at most " << stats.jobs().concurrency() << " at a time\n";
  out << "process   " << format_bytes(stats.process().resident_bytes()) << " resident, "
      << stats.process().threads() << " threads, " << stats.process().open_fds() << " open files\n";
  out << "runtime   generation " << runtime.generation() << '\n';
  for (const auto& condition : runtime.conditions())
    if (condition.status() == v1::Condition::STATUS_TRUE)
      out << "note      " << condition.type() << ": " << condition.message() << '\n';
  if (!stats.jobs().journal().healthy())
    out << "note      journal: " << stats.jobs().journal().error() << '\n';
}

int run(Context& context) {
  v1::GetServerInfoResponse server;
  v1::GetRuntimeResponse runtime;
  v1::GetStatsResponse stats;
  auto call = call_for(context.timeout);
  auto status = context.client().admin().GetServerInfo(call.get(), {}, &server);
  if (status.ok()) {
    call = call_for(context.timeout);
    status = context.client().runtime().GetRuntime(call.get(), {}, &runtime);
  }
  if (status.ok()) {
    call = call_for(context.timeout);
    status = context.client().stats().GetStats(call.get(), {}, &stats);
  }
  if (!status.ok()) return context.report(status);
  if (context.format == Format::Json || context.format == Format::Jsonl)
    context.out << "{\"server\":" << json_line(server)
                << ",\"runtime\":" << json_line(runtime.runtime()) << "}\n";
  else
    print(context, server, runtime.runtime(), stats.stats());
  return kExitOk;
}

}  // namespace

void add_status(CLI::App& app, Context& context, Action& action) {
  auto* command = app.add_subcommand("status", "How zokiod is doing, on one screen");
  command->callback([&context, &action] { action = [&context] { return run(context); }; });
}

}  // namespace zokioctl
