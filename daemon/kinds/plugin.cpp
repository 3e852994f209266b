// SPDX-License-Identifier: Apache-2.0
// plugin: runs a shared library that the configuration allows by path and SHA-256
// (zokio_plugin.h). A client only names it; what is loaded cannot be chosen over RPC.

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>

#include "kinds/catalog.h"
#include "kinds/plugin_library.h"
#include "model/limits.h"
#include "zokio/shield.h"
#include "zokio/spawn_blocking.h"

namespace zokiod::kinds {
namespace {

using model::PluginSpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;

constexpr size_t kArgumentsMax = 64;
constexpr size_t kOutputBytesMax = 64 * 1024;

const PluginSpec& spec_of(const model::JobSpec& spec) {
  return std::get<PluginSpec>(spec.work);
}

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

void validate(const model::JobSpec& job, Violations& out) {
  const PluginSpec& spec = spec_of(job);
  if (spec.name.empty())
    out.push_back({"spec.plugin.name", "is missing"});
  else if (!model::is_plugin_name(spec.name))
    out.push_back({"spec.plugin.name", "is not 1 to 63 of a-z, 0-9, \"-\", \"_\" and \".\""});
  if (spec.arguments.size() > kArgumentsMax)
    out.push_back({"spec.plugin.arguments",
                   fmt::format("{} arguments, at most {}", spec.arguments.size(), kArgumentsMax)});
  for (const auto& [name, value] : spec.arguments)
    if (name.empty() || has_nul(name) || has_nul(value) || value.size() > model::kArgBytesMax)
      out.push_back({"spec.plugin.arguments",
                     fmt::format("a name is empty, or has a NUL byte, or a value is above {} bytes",
                                 model::kArgBytesMax)});
}

bool allowed(const Policy& policy) {
  return !policy.plugins.empty();
}

std::optional<model::PluginRule> rule_of(const std::string& name, const Policy& policy) {
  for (const std::string& text : policy.plugins)
    if (auto rule = model::parse_plugin_rule(text); rule && rule->name == name) return rule;
  return std::nullopt;
}

model::Reported<> authorize(const model::JobSpec& job, const Policy& policy) {
  const std::string& name = spec_of(job).name;
  if (rule_of(name, policy)) return {};
  model::Report report =
      model::make_report(Errc::PermissionDenied, model::reason::kKindNotAllowed,
                         fmt::format("plugin \"{}\" is not in policy.plugins", name));
  report.metadata["plugin"] = name;
  return model::refuse(std::move(report));
}

// What the library sees of the job; shared with the thread that runs it.
struct Session {
  JobContext* context = nullptr;
  std::atomic<bool> cancelled{false};
  std::mutex mutex;
  std::string output;           // guarded by mutex
  std::string reason, message;  // guarded by mutex
};

Session& session(void* context) {
  return *static_cast<Session*>(context);
}

extern "C" {
static int host_cancelled(void* context) {
  return session(context).cancelled.load(std::memory_order_relaxed) ? 1 : 0;
}
static void host_progress(void* context, uint64_t done, uint64_t total) {
  session(context).context->progress(done, total);
}
static void host_note(void* context, const char* text) {
  session(context).context->note(text);
}
static void host_log(void* context, const char* text, size_t size) {
  session(context).context->write_log({text, size});
}
static void host_result(void* context, const char* text, size_t size) {
  Session& s = session(context);
  std::lock_guard lock(s.mutex);
  s.output.assign(text, std::min(size, kOutputBytesMax));
}
static void host_fail(void* context, const char* reason, const char* message) {
  Session& s = session(context);
  std::lock_guard lock(s.mutex);
  s.reason = reason;
  s.message = message;
}
}

int call(const zokio_plugin* plugin, Session* s) {
  const model::Job& job = s->context->job();
  std::vector<zokio_argument> arguments;
  for (const auto& [name, value] : spec_of(job.spec).arguments)
    arguments.push_back({name.c_str(), value.c_str()});
  const std::string id = job.id.to_string();
  const zokio_host host{.size = sizeof host,
                        .abi = ZOKIO_PLUGIN_ABI,
                        .context = s,
                        .job_id = id.c_str(),
                        .attempt = job.attempt,
                        .argument_count = static_cast<uint32_t>(arguments.size()),
                        .arguments = arguments.data(),
                        .cancelled = host_cancelled,
                        .progress = host_progress,
                        .note = host_note,
                        .log = host_log,
                        .result = host_result,
                        .fail = host_fail};
  return plugin->run(&host);
}

// A library that was told to stop is waited for, however long it takes: it runs on our memory.
Task<Result<int>> run_on_a_thread(const zokio_plugin* plugin, Session* s) {
  auto thread = zokio::spawn_blocking(&call, plugin, s);
  Result<int> code = co_await thread;
  if (code || code.error().code != Errc::Cancelled) co_return code;
  s->cancelled = true;
  zokio::Shield shield;
  static_cast<void>(co_await thread);
  co_return code;
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const auto rule = rule_of(spec_of(context.job().spec).name, context.policy());
  model::Reported<const zokio_plugin*> plugin;
  const auto looked = co_await zokio::blocking([&] { plugin = load_plugin(*rule); });
  if (!looked) co_return model::refuse(model::make_report(looked.error(), "load " + rule->path));
  if (!plugin) co_return std::unexpected(std::move(plugin.error()));
  Session s;
  s.context = &context;
  const Result<int> code = co_await run_on_a_thread(*plugin, &s);
  if (!code) co_return model::refuse(model::make_report(code.error(), "plugin " + rule->name));
  std::lock_guard lock(s.mutex);
  // A result is text on the wire.
  const auto printable = [](std::string text) {
    for (char& c : text)
      if (static_cast<signed char>(c) < 0) c = '?';
    return text;
  };
  Finished out{model::PluginResult{(*plugin)->name, (*plugin)->version, printable(s.output)}, {}};
  if (*code != 0)
    out.error = {Errc::Aborted, s.reason.empty() ? "PLUGIN_FAILED" : printable(s.reason),
                 s.message.empty() ? fmt::format("returned {}", *code) : printable(s.message)};
  co_return out;
}

}  // namespace

const KindInfo kPlugin = {.name = PluginSpec::kKind,
                          .summary = "runs a shared library that the configuration allows",
                          .allowed = allowed,
                          .validate = validate,
                          .authorize = authorize,
                          .run = run};

}  // namespace zokiod::kinds
