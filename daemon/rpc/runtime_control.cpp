// SPDX-License-Identifier: Apache-2.0
#include "rpc/runtime_control.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <deque>
#include <mutex>
#include <utility>

#include "zokio/base/assert.h"
#include "zokio/sync/semaphore.h"

namespace zokiod::rpc {

using model::Report;
using model::Reported;
using zokio::Errc;
using zokio::ResizeReport;

struct RuntimeControl::State {
  explicit State(zokio::Runtime& r) : runtime(r) {}

  // Constant after construction.
  zokio::Runtime& runtime;
  std::string boot;  // so that an etag of an earlier process never fits

  zokio::sync::Semaphore turn{1};  // updates, one after the other

  mutable std::mutex mutex;
  // Guarded by mutex.
  DesiredRuntime desired;
  uint64_t generation = 1;
  uint64_t observed_generation = 1;
  RuntimeCondition resizing{"Resizing", false, "AS_DESIRED", "", {}};
  RuntimeCondition degraded{"Degraded", false, "AS_DESIRED", "", {}};
  std::deque<std::pair<RuntimeUpdate, RuntimeUpdated>> remembered;
  std::vector<ResizeFigures> figures;

  std::string etag_locked() const { return boot + "-" + std::to_string(generation); }
};

namespace {

using State = RuntimeControl::State;

// Among the pools: the limit of all of them together.
constexpr std::string_view kTotal = "total";

// Binary, short: "64Mi", "1.5Gi", "100".
std::string format_bytes(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"", "Ki", "Mi", "Gi", "Ti"};
  unsigned unit = 0;
  double value = static_cast<double>(bytes);
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text,
                value == static_cast<double>(static_cast<uint64_t>(value)) ? "%.0f%s" : "%.1f%s",
                value, kUnits[unit]);
  return text;
}

void set_condition(RuntimeCondition& condition, bool status, std::string reason,
                   std::string message) {
  if (condition.status != status || !condition.last_transition.is_set())
    condition.last_transition = model::WallTime::now();
  condition.status = status;
  condition.reason = std::move(reason);
  condition.message = std::move(message);
}

ResizeFigures& figures_of(State& state, const std::string& component) {
  for (auto& row : state.figures)
    if (row.component == component) return row;
  state.figures.push_back({});
  state.figures.back().component = component;
  return state.figures.back();
}

// A pool limit of 0 is none, so it counts as more than every other.
bool grows(const std::string& component, uint64_t from, uint64_t to) {
  if (!component.starts_with("pool.")) return to > from;
  return from != 0 && (to == 0 || to > from);
}

void count(State& state, const std::string& component, uint64_t from, uint64_t to, bool ok) {
  std::scoped_lock lock(state.mutex);
  ResizeFigures& row = figures_of(state, component);
  const bool up = grows(component, from, to);
  ++(up ? (ok ? row.up_ok : row.up_failed) : (ok ? row.down_ok : row.down_failed));
  row.last_unix_ms = model::WallTime::now().unix_ns / 1'000'000;
}

RuntimeView view_of(const State& state) {
  RuntimeView out;
  out.actual = state.runtime.stats();
  std::scoped_lock lock(state.mutex);
  out.desired = state.desired;
  out.generation = state.generation;
  out.observed_generation = state.observed_generation;
  out.etag = state.etag_locked();
  RuntimeCondition resizing = state.resizing;
  for (const auto& pool : out.actual.pools) {
    if (resizing.status || !pool.shrinking) continue;
    resizing.status = true;
    resizing.reason = "POOL_SHRINKING";
    resizing.message = "pool \"" + pool.name + "\" holds " +
                       format_bytes(pool.in_use_bytes + pool.cached_bytes) + ", limit " +
                       format_bytes(pool.limit_bytes);
  }
  out.conditions = {std::move(resizing), state.degraded};
  return out;
}

void check_count(const char* field, const char* word, std::optional<uint32_t> wanted, unsigned most,
                 std::vector<model::FieldViolation>& violations) {
  if (wanted && (*wanted == 0 || *wanted > most))
    violations.push_back({field, std::to_string(*wanted) + " " + word + ": 1 to " +
                                     std::to_string(most) + " are possible"});
}

void check_rings(const RuntimeUpdate& update, std::vector<model::FieldViolation>& violations) {
  if (const auto wanted = update.ring_entries;
      wanted && (*wanted < kRingEntriesMin || *wanted > kRingEntriesMax))
    violations.push_back({"runtime.desired.ring_entries",
                          std::to_string(*wanted) + " entries: " + std::to_string(kRingEntriesMin) +
                              " to " + std::to_string(kRingEntriesMax) + " are possible"});
  if (const auto wanted = update.receive_buffers;
      wanted && (*wanted < kReceiveBuffersMin || *wanted > kReceiveBuffersMax))
    violations.push_back({"runtime.desired.receive_buffers",
                          std::to_string(*wanted) +
                              " buffers: " + std::to_string(kReceiveBuffersMin) + " to " +
                              std::to_string(kReceiveBuffersMax) + " are possible"});
}

Reported<> check_fields(const DesiredRuntime& desired, const RuntimeUpdate& update) {
  std::vector<model::FieldViolation> violations;
  check_count("runtime.desired.workers", "workers", update.workers, kWorkersMax, violations);
  check_count("runtime.desired.reactors", "reactors", update.reactors, kReactorsMax, violations);
  check_rings(update, violations);
  for (size_t i = 0; i < update.pools.size(); ++i) {
    const std::string field = "runtime.desired.pools[" + std::to_string(i) + "].name";
    const std::string& name = update.pools[i].name;
    std::string known;
    bool found = false;
    for (const auto& pool : desired.pools) {
      known += (known.empty() ? "" : ", ") + pool.name;
      found = found || pool.name == name;
    }
    if (!found) violations.push_back({field, "no pool \"" + name + "\"; pools: " + known});
    for (size_t j = 0; j < i; ++j)
      if (update.pools[j].name == name)
        violations.push_back({field, "pool \"" + name + "\" is listed twice"});
  }
  if (violations.empty()) return {};
  Report report = model::make_report(
      Errc::InvalidArgument, model::reason::kInvalidField,
      violations[0].description + (violations.size() > 1
                                       ? " (and " + std::to_string(violations.size() - 1) + " more)"
                                       : ""));
  report.metadata["field"] = violations[0].field;
  report.violations = std::move(violations);
  return model::refuse(std::move(report));
}

Report infeasible(const State& state, const std::string& pool, uint64_t limit) {
  uint64_t in_use = 0;
  for (const auto& snapshot : state.runtime.stats().pools)
    if (snapshot.name == pool || pool == kTotal) in_use += snapshot.in_use_bytes;
  Report report =
      model::make_report(Errc::FailedPrecondition, reason::kResizeInfeasible,
                         "cannot limit pool \"" + pool + "\" to " + format_bytes(limit) + ": " +
                             format_bytes(in_use) + " in use");
  report.metadata = {{"component", "pool." + pool},
                     {"pool", pool},
                     {"limit_bytes", std::to_string(limit)},
                     {"in_use_bytes", std::to_string(in_use)}};
  report.violations = {{"pool." + pool, report.message}};
  return report;
}

Reported<> check_etag(const State& state, const std::string& etag) {
  std::scoped_lock lock(state.mutex);
  if (etag.empty() || etag == state.etag_locked()) return {};
  const size_t dash = etag.rfind('-');
  const std::string theirs = etag.starts_with(state.boot + "-") ? etag.substr(dash + 1) : "";
  Report report = model::make_report(
      Errc::Aborted, reason::kRuntimeChanged,
      theirs.empty() ? "the etag \"" + etag + "\" is of another process; generation is " +
                           std::to_string(state.generation)
                     : "the runtime is at generation " + std::to_string(state.generation) +
                           ", the request was made for " + theirs);
  report.metadata = {{"generation", std::to_string(state.generation)},
                     {"requested_generation", theirs},
                     {"etag", state.etag_locked()}};
  return model::refuse(std::move(report));
}

// What the update leads to; nothing is changed yet.
struct Plan {
  DesiredRuntime before;
  DesiredRuntime after;
  bool repeat = false;  // the last update fell short: try again although nothing differs
};

Reported<Plan> make_plan(const State& state, const RuntimeUpdate& update) {
  if (auto fits = check_etag(state, update.etag); !fits) return model::refuse(fits.error());
  Plan plan;
  {
    std::scoped_lock lock(state.mutex);
    plan.before = plan.after = state.desired;
    plan.repeat = state.degraded.status;
  }
  if (auto valid = check_fields(plan.before, update); !valid) return model::refuse(valid.error());
  if (update.workers) plan.after.workers = *update.workers;
  if (update.reactors) plan.after.reactors = *update.reactors;
  if (update.ring_entries) plan.after.ring_entries = std::bit_ceil(*update.ring_entries);
  if (update.receive_buffers) plan.after.receive_buffers = std::bit_ceil(*update.receive_buffers);
  for (const auto& wanted : update.pools) {
    if (!state.runtime.check_pool(wanted.name, wanted.limit_bytes, update.force).has_value())
      return model::refuse(infeasible(state, wanted.name, wanted.limit_bytes));
    for (auto& pool : plan.after.pools)
      if (pool.name == wanted.name) pool.limit_bytes = wanted.limit_bytes;
  }
  return plan;
}

RuntimeUpdated preview(const State& state, const Plan& plan) {
  RuntimeUpdated out;
  out.view = view_of(state);
  out.view.desired = plan.after;
  auto add = [&out](std::string component, uint64_t from, uint64_t to) {
    if (from == to) return;
    ResizeReport& report = out.changes.emplace_back();
    report.component = std::move(component);
    report.from = from;
    report.requested = report.reached = to;
  };
  add("workers", plan.before.workers, plan.after.workers);
  add("reactors", plan.before.reactors, plan.after.reactors);
  add("rings", plan.before.ring_entries, plan.after.ring_entries);
  add("receive_buffers", plan.before.receive_buffers, plan.after.receive_buffers);
  for (size_t i = 0; i < plan.after.pools.size(); ++i)
    add("pool." + plan.after.pools[i].name, plan.before.pools[i].limit_bytes,
        plan.after.pools[i].limit_bytes);
  return out;
}

// All pools or none.
Reported<> apply_pools(State& state, const Plan& plan, bool force,
                       std::vector<ResizeReport>& changes) {
  for (size_t i = 0; i < plan.after.pools.size(); ++i) {
    const PoolLimit& from = plan.before.pools[i];
    const PoolLimit& to = plan.after.pools[i];
    if (from.limit_bytes == to.limit_bytes) continue;
    const std::string component = "pool." + to.name;
    auto done = state.runtime.resize_pool(to.name, to.limit_bytes, force);
    count(state, component, from.limit_bytes, to.limit_bytes, done.has_value());
    if (done) {
      done->component = component;
      changes.push_back(*std::move(done));
      continue;
    }
    // Grew past the new limit since it was checked: take back what was done.
    for (size_t j = 0; j < i; ++j)
      if (plan.before.pools[j] != plan.after.pools[j])
        (void)state.runtime.resize_pool(plan.before.pools[j].name, plan.before.pools[j].limit_bytes,
                                        true);
    return model::refuse(infeasible(state, to.name, to.limit_bytes));
  }
  return {};
}

void begin(State& state, const Plan& plan) {
  std::scoped_lock lock(state.mutex);
  if (plan.before != plan.after) ++state.generation;
  state.desired = plan.after;
  set_condition(state.resizing, true, "IN_PROGRESS",
                "to generation " + std::to_string(state.generation));
}

// `shortfall` empty: everything is as desired.
void end(State& state, const std::string& shortfall) {
  std::scoped_lock lock(state.mutex);
  state.observed_generation = state.generation;
  set_condition(state.resizing, false, "AS_DESIRED", "");
  set_condition(state.degraded, !shortfall.empty(),
                shortfall.empty() ? "AS_DESIRED" : std::string(reason::kResizeIncomplete),
                shortfall);
}

// Records one step; the text of what fell short, empty when nothing did.
std::string record(State& state, const char* component, uint64_t from, uint64_t to,
                   zokio::Result<ResizeReport> done, std::vector<ResizeReport>& changes) {
  count(state, component, from, to, done.has_value());
  if (done) {
    done->component = component;
    changes.push_back(*std::move(done));
    return {};
  }
  return std::string(component) + " " + std::to_string(from) + " -> " + std::to_string(to) + ": " +
         done.error().to_string();
}

void join(std::string& shortfall, const std::string& more) {
  shortfall += (shortfall.empty() || more.empty() ? "" : "; ") + more;
}

// One update's place in the line; the permit goes before the state that it belongs to.
struct Turn {
  std::shared_ptr<State> state;
  zokio::sync::Semaphore::Permit permit;
};

zokio::Task<Reported<RuntimeUpdated>> carry_out(Turn turn, Plan plan, RuntimeUpdate update) {
  State& state = *turn.state;
  RuntimeUpdated out;
  if (auto pools = apply_pools(state, plan, update.force, out.changes); !pools)
    co_return model::refuse(pools.error());
  begin(state, plan);
  std::string shortfall;
  if (plan.before.workers != plan.after.workers || plan.repeat) {
    auto done = co_await state.runtime.resize_workers(plan.after.workers);
    shortfall = record(state, "workers", plan.before.workers, plan.after.workers, std::move(done),
                       out.changes);
  }
  if (plan.before.reactors != plan.after.reactors || plan.repeat) {
    auto done = co_await state.runtime.resize_reactors(plan.after.reactors);
    join(shortfall, record(state, "reactors", plan.before.reactors, plan.after.reactors,
                           std::move(done), out.changes));
  }
  if (plan.before.ring_entries != plan.after.ring_entries || plan.repeat) {
    auto done = co_await state.runtime.resize_rings(plan.after.ring_entries);
    join(shortfall, record(state, "rings", plan.before.ring_entries, plan.after.ring_entries,
                           std::move(done), out.changes));
  }
  if (plan.before.receive_buffers != plan.after.receive_buffers || plan.repeat) {
    auto done = co_await state.runtime.resize_receive_buffers(plan.after.receive_buffers);
    join(shortfall, record(state, "receive_buffers", plan.before.receive_buffers,
                           plan.after.receive_buffers, std::move(done), out.changes));
  }
  end(state, shortfall);
  out.view = view_of(state);
  if (!shortfall.empty()) {
    Report report = model::make_report(Errc::ResourceExhausted, reason::kResizeIncomplete,
                                       "resize fell short: " + shortfall);
    report.metadata["generation"] = std::to_string(out.view.generation);
    co_return model::refuse(std::move(report));
  }
  if (!update.request_id.empty()) {
    std::scoped_lock lock(state.mutex);
    state.remembered.emplace_back(std::move(update), out);
    if (state.remembered.size() > kRequestsRemembered) state.remembered.pop_front();
  }
  co_return out;
}

// The earlier answer to the same request, REQUEST_ID_REUSED, or nothing.
std::optional<Reported<RuntimeUpdated>> recall(const State& state, const RuntimeUpdate& update) {
  if (update.request_id.empty()) return std::nullopt;
  std::scoped_lock lock(state.mutex);
  for (const auto& [earlier, answer] : state.remembered) {
    if (earlier.request_id != update.request_id) continue;
    if (earlier == update) return answer;
    Report report =
        model::make_report(Errc::AlreadyExists, model::reason::kRequestIdReused,
                           "request_id \"" + update.request_id + "\" was used for another update");
    report.metadata["request_id"] = update.request_id;
    return model::refuse(std::move(report));
  }
  return std::nullopt;
}

}  // namespace

RuntimeControl::RuntimeControl(zokio::Runtime& runtime) : state_(std::make_shared<State>(runtime)) {
  uint32_t random = 0;
  ZOKIO_CHECK(getrandom(&random, sizeof random, 0) == sizeof random, "the kernel's random numbers");
  char text[16];
  std::snprintf(text, sizeof text, "%08x", random);
  state_->boot = text;
  const auto stats = runtime.stats();
  state_->desired.workers = stats.scheduler.workers_desired;
  state_->desired.reactors = stats.io.reactors_desired;
  state_->desired.ring_entries = std::bit_ceil(runtime.options().ring_entries);
  state_->desired.receive_buffers = std::bit_ceil(runtime.options().receive_buffers);
  for (const char* component : {"workers", "reactors", "rings", "receive_buffers"})
    figures_of(*state_, component);
  for (const auto& pool : stats.pools) {
    state_->desired.pools.push_back({pool.name, pool.limit_bytes});
    figures_of(*state_, "pool." + pool.name);
  }
  state_->desired.pools.push_back({std::string(kTotal), stats.memory.limit_bytes});
  figures_of(*state_, "pool." + std::string(kTotal));
  set_condition(state_->resizing, false, "AS_DESIRED", "");
  set_condition(state_->degraded, false, "AS_DESIRED", "");
}

RuntimeControl::~RuntimeControl() = default;

RuntimeView RuntimeControl::view() const {
  return view_of(*state_);
}

uint64_t RuntimeControl::generation() const {
  std::scoped_lock lock(state_->mutex);
  return state_->generation;
}

std::vector<ResizeFigures> RuntimeControl::figures() const {
  std::scoped_lock lock(state_->mutex);
  return state_->figures;
}

zokio::Task<Reported<RuntimeUpdated>> RuntimeControl::update(RuntimeUpdate update) {
  auto state = state_;
  auto permit = co_await state->turn.acquire();
  if (!permit) co_return model::refuse(model::make_report(permit.error(), "update of the runtime"));
  if (auto earlier = recall(*state, update)) co_return *std::move(earlier);
  auto plan = make_plan(*state, update);
  if (!plan) co_return model::refuse(plan.error());
  if (update.validate_only) co_return preview(*state, *plan);
  if (plan->before == plan->after && !plan->repeat) {
    RuntimeUpdated unchanged;
    unchanged.view = view_of(*state);
    co_return unchanged;
  }
  auto task = zokio::spawn(&carry_out, Turn{state, *std::move(permit)}, *std::move(plan),
                           std::move(update));
  auto done = co_await task;
  if (!done) co_return model::refuse(model::make_report(done.error(), "update of the runtime"));
  co_return *std::move(done);
}

Reported<RuntimeUpdated> RuntimeControl::update_blocking(RuntimeUpdate update) {
  auto done = state_->runtime.block_on(
      [](RuntimeControl* self, RuntimeUpdate wanted) { return self->update(std::move(wanted)); },
      this, std::move(update));
  if (!done) return model::refuse(model::make_report(done.error(), "update of the runtime"));
  return *std::move(done);
}

}  // namespace zokiod::rpc
