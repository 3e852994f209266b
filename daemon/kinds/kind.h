// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a job can do: the interface of a kind, and what it is given.
//
// A kind is one file that ends in its KindInfo; catalog.cpp lists them. A kind checks its spec
// twice, when it is submitted and when an attempt starts, because the policy may have changed in
// between. Thread: check() any; run() is a task of the runtime, JobContext methods are for that
// task and its children.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/job.h"
#include "model/report.h"
#include "zokio/task/task.h"

namespace zokio {
class Runtime;
}

namespace zokiod::kinds {

// What jobs may touch. Immutable; a reload replaces it.
struct Policy {
  bool exec_enabled = false;
  std::vector<std::string> roots;      // absolute directories that file kinds may use
  std::vector<std::string> env_allow;  // names of this process's environment given to exec
  std::string scratch_dir;             // of synthetic.file; made by the daemon
  // Rules of model/address_rules.h: what jobs may listen on and connect to.
  std::vector<std::string> listen = {};
  std::vector<std::string> connect = {};
  std::vector<std::string> plugins = {};  // "NAME SHA256 PATH", model/plugin_rule.h
};

// The attempt that runs. Implemented by the runner, and by fakes in tests.
class JobContext {
 public:
  virtual ~JobContext() = default;
  virtual const model::Job& job() const = 0;  // id, attempt, spec; does not change while it runs
  virtual const Policy& policy() const = 0;
  virtual zokio::Runtime& runtime() = 0;
  // Cheap; may be called for every block.
  virtual void progress(uint64_t done, uint64_t total) = 0;
  // One line about where it stands, for people: "ready on 127.0.0.1:80, 3 open". Replaces the last.
  virtual void note(std::string text) = 0;
  // Appends to the captured output, which keeps its end.
  virtual void write_log(std::string_view text) = 0;
};

// A failed attempt may have a result, too (an exit code).
struct Finished {
  model::JobResult result;
  model::JobError error;  // reason empty: succeeded
  bool ok() const { return error.reason.empty(); }
};

// Adds one violation for each field that is wrong; `field` paths start at "spec.<kind>".
using Violations = std::vector<model::FieldViolation>;

struct KindInfo {
  std::string_view name;
  std::string_view summary;  // one line
  bool (*allowed)(const Policy& policy);
  void (*validate)(const model::JobSpec& spec, Violations& out);
  // Rights, after validate() found nothing: KIND_NOT_ALLOWED, PATH_NOT_ALLOWED.
  model::Reported<> (*authorize)(const model::JobSpec& spec, const Policy& policy);
  // Cancel: returns Cancelled after it has undone what must not stay (a partial file, a child).
  zokio::Task<model::Reported<Finished>> (*run)(JobContext& context);
};

// Every kind that is compiled in, sorted by name.
std::span<const KindInfo* const> catalog();
// Null: no such kind.
const KindInfo* find_kind(std::string_view name);

}  // namespace zokiod::kinds
