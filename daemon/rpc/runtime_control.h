// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the runtime should look like, as one versioned value, and the only place that changes it.
//
// An update is checked as a whole before anything is applied, carried out by a task of its own (a
// client that leaves cannot stop it half way), and one after the other. Pools go first because
// their change can still be refused and taken back; workers and reactors only fail when the system
// has no threads left, and then what was reached stays and is reported.
// Thread: any.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/job.h"
#include "model/report.h"
#include "zokio/runtime.h"

namespace zokiod::rpc {

namespace reason {
inline constexpr std::string_view kRuntimeChanged = "RUNTIME_CHANGED";      // Aborted
inline constexpr std::string_view kResizeInfeasible = "RESIZE_INFEASIBLE";  // FailedPrecondition
inline constexpr std::string_view kResizeIncomplete = "RESIZE_INCOMPLETE";  // ResourceExhausted
}  // namespace reason

inline constexpr unsigned kWorkersMax = 256;  // slots of the scheduler
inline constexpr unsigned kReactorsMax = 64;  // slots of the I/O driver
inline constexpr unsigned kRingEntriesMin = 32;
inline constexpr unsigned kRingEntriesMax = 4096;
inline constexpr unsigned kReceiveBuffersMin = 2;
inline constexpr unsigned kReceiveBuffersMax = 32768;
inline constexpr size_t kRequestsRemembered = 256;

struct PoolLimit {
  std::string name;
  uint64_t limit_bytes = 0;  // 0: none
  friend bool operator==(const PoolLimit&, const PoolLimit&) = default;
};

struct DesiredRuntime {
  uint32_t workers = 0;
  uint32_t reactors = 0;
  uint32_t ring_entries = 0;
  uint32_t receive_buffers = 0;
  std::vector<PoolLimit> pools;  // every pool, in the order of the runtime
  friend bool operator==(const DesiredRuntime&, const DesiredRuntime&) = default;
};

struct RuntimeCondition {
  std::string type;  // "Resizing", "Degraded"
  bool status = false;
  std::string reason;
  std::string message;
  model::WallTime last_transition;
};

// One version, with what is true beside what is wanted.
struct RuntimeView {
  DesiredRuntime desired;
  zokio::RuntimeSnapshot actual;
  uint64_t generation = 1;
  uint64_t observed_generation = 1;
  std::vector<RuntimeCondition> conditions;
  std::string etag;
};

struct RuntimeUpdate {
  std::optional<uint32_t> workers;
  std::optional<uint32_t> reactors;
  std::optional<uint32_t> ring_entries;
  std::optional<uint32_t> receive_buffers;
  std::vector<PoolLimit> pools;  // those that change; others stay
  std::string etag;              // empty: whatever is there
  bool validate_only = false;
  bool force = false;      // pools below the bytes in use
  std::string request_id;  // empty: not remembered
  friend bool operator==(const RuntimeUpdate&, const RuntimeUpdate&) = default;
};

struct RuntimeUpdated {
  RuntimeView view;
  std::vector<zokio::ResizeReport> changes;  // empty: all was as desired
};

// For metrics. One for each component from the start: "workers", "reactors", "rings",
// "receive_buffers", "pool.<name>".
struct ResizeFigures {
  std::string component;
  uint64_t up_ok = 0;
  uint64_t up_failed = 0;
  uint64_t down_ok = 0;
  uint64_t down_failed = 0;
  int64_t last_unix_ms = 0;  // 0: never
};

class RuntimeControl {
 public:
  // `runtime` outlives every update that was started.
  explicit RuntimeControl(zokio::Runtime& runtime);
  ~RuntimeControl();

  RuntimeView view() const;
  // Errors: INVALID_FIELD, RUNTIME_CHANGED, RESIZE_INFEASIBLE, REQUEST_ID_REUSED (nothing was
  // changed); RESIZE_INCOMPLETE (desired says what was asked, actual what was reached).
  // Cancel: ends the wait; an update that began is carried out.
  zokio::Task<model::Reported<RuntimeUpdated>> update(RuntimeUpdate update);
  // The same for a thread that is no worker of the runtime.
  model::Reported<RuntimeUpdated> update_blocking(RuntimeUpdate update);
  uint64_t generation() const;
  std::vector<ResizeFigures> figures() const;

  struct State;  // private to the source file

 private:
  std::shared_ptr<State> state_;
};

}  // namespace zokiod::rpc
