// SPDX-License-Identifier: Apache-2.0
// The messages of RuntimeService; see convert.h.
#include "rpc/convert.h"

namespace zokiod::rpc {
namespace {

void read_pools(const v1::Runtime::Desired& desired, RuntimeUpdate& out) {
  for (const auto& pool : desired.pools()) out.pools.push_back({pool.name(), pool.limit_bytes()});
}

void read_path(const std::string& path, const v1::Runtime::Desired& desired, RuntimeUpdate& out,
               Violations& violations) {
  if (path == "desired.workers") {
    out.workers = desired.workers();
  } else if (path == "desired.reactors") {
    out.reactors = desired.reactors();
  } else if (path == "desired.ring_entries") {
    out.ring_entries = desired.ring_entries();
  } else if (path == "desired.receive_buffers") {
    out.receive_buffers = desired.receive_buffers();
  } else if (path == "desired.pools") {
    if (out.pools.empty()) read_pools(desired, out);
  } else {
    violations.push_back({"update_mask", "no field \"" + path +
                                             "\" that can be updated; there are desired.workers, "
                                             "desired.reactors, desired.ring_entries, "
                                             "desired.receive_buffers, desired.pools"});
  }
}

void add_actual(v1::Runtime::Actual& out, const zokio::RuntimeSnapshot& actual) {
  for (const auto& worker : actual.scheduler.workers) {
    if (worker.state == zokio::WorkerState::Retiring)
      out.set_workers_retiring(out.workers_retiring() + 1);
    else if (worker.state != zokio::WorkerState::Empty)
      out.set_workers(out.workers() + 1);
  }
  for (const auto& reactor : actual.io.reactors) {
    if (reactor.state == zokio::ReactorState::Draining)
      out.set_reactors_draining(out.reactors_draining() + 1);
    else if (reactor.state == zokio::ReactorState::Active)
      out.set_reactors(out.reactors() + 1);
    out.set_rings_draining(out.rings_draining() + reactor.rings_draining);
    if (reactor.state != zokio::ReactorState::Active || reactor.ring_entries == 0) continue;
    if (out.ring_entries() == 0 || reactor.ring_entries < out.ring_entries())
      out.set_ring_entries(reactor.ring_entries);
  }
  for (const auto& pool : actual.pools) {
    auto* to = out.add_pools();
    to->set_name(pool.name);
    to->set_limit_bytes(pool.limit_bytes);
    to->set_in_use_bytes(pool.in_use_bytes);
    to->set_cached_bytes(pool.cached_bytes);
    to->set_shrinking(pool.shrinking);
  }
  out.set_backend(actual.io.backend);
  out.set_fallback_reason(actual.io.fallback_reason);
}

}  // namespace

model::Reported<RuntimeUpdate> from_proto(const v1::UpdateRuntimeRequest& request) {
  Violations violations;
  RuntimeUpdate out;
  const auto& desired = request.runtime().desired();
  if (request.update_mask().paths().empty()) {
    if (desired.workers() != 0) out.workers = desired.workers();
    if (desired.reactors() != 0) out.reactors = desired.reactors();
    if (desired.ring_entries() != 0) out.ring_entries = desired.ring_entries();
    if (desired.receive_buffers() != 0) out.receive_buffers = desired.receive_buffers();
    read_pools(desired, out);
    if (!out.workers && !out.reactors && !out.ring_entries && !out.receive_buffers &&
        out.pools.empty())
      violations.push_back({"runtime.desired", "nothing is set and update_mask is empty"});
  }
  for (const auto& path : request.update_mask().paths()) read_path(path, desired, out, violations);
  if (!violations.empty()) return model::refuse(invalid(std::move(violations)));
  out.etag = request.etag();
  out.validate_only = request.validate_only();
  out.force = request.force();
  out.request_id = request.request_id();
  return out;
}

v1::Runtime to_proto(const RuntimeView& view) {
  v1::Runtime out;
  auto* desired = out.mutable_desired();
  desired->set_workers(view.desired.workers);
  desired->set_reactors(view.desired.reactors);
  desired->set_ring_entries(view.desired.ring_entries);
  desired->set_receive_buffers(view.desired.receive_buffers);
  for (const auto& pool : view.desired.pools) {
    auto* to = desired->add_pools();
    to->set_name(pool.name);
    to->set_limit_bytes(pool.limit_bytes);
  }
  add_actual(*out.mutable_actual(), view.actual);
  out.set_generation(view.generation);
  out.set_observed_generation(view.observed_generation);
  for (const auto& condition : view.conditions) {
    auto* to = out.add_conditions();
    to->set_type(condition.type);
    to->set_status(condition.status ? v1::Condition::STATUS_TRUE : v1::Condition::STATUS_FALSE);
    to->set_reason(condition.reason);
    to->set_message(condition.message);
    set_time(*to->mutable_last_transition_time(), condition.last_transition);
  }
  out.set_etag(view.etag);
  return out;
}

v1::RuntimeChange to_proto(const zokio::ResizeReport& report) {
  v1::RuntimeChange out;
  out.set_component(report.component);
  out.set_from(report.from);
  out.set_to(report.requested);
  out.set_reached(report.reached);
  out.set_moved_tasks(report.moved_tasks);
  out.set_moved_timers(report.moved_timers);
  out.set_reissued_operations(report.reissued_ops);
  out.set_released_bytes(report.released_bytes);
  out.set_residual_bytes(report.residual_bytes);
  *out.mutable_took() = to_proto(report.took);
  out.set_way(report.way);
  out.set_reason(report.reason);
  return out;
}

}  // namespace zokiod::rpc
