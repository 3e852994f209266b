// SPDX-License-Identifier: Apache-2.0
#include "store/memory_journal.h"

#include <map>
#include <set>
#include <utility>

namespace zokiod::store {
namespace {

using model::JobState;
using zokio::Errc;
using zokio::Result;

// Keeps of a job what the rules need; the engine has the rest in its registry anyway.
struct Kept {
  JobState state;
  uint32_t attempt;
  std::string request_key;
};

class MemoryJournal final : public Journal {
 public:
  model::Reported<Recovered> load() override { return Recovered{}; }
  Result<void> begin() override { return {}; }
  Result<void> apply(const Write& write) override {
    return std::visit([this](const auto& w) { return this->write(w); }, write);
  }
  // Nothing to make durable, so nothing to undo either.
  Result<void> commit() override { return {}; }
  void rollback() override {}
  Result<Output> read_output(JobId id, uint32_t attempt) override {
    const auto it = outputs_.find({id, attempt});
    if (it == outputs_.end()) return zokio::fail(Errc::NotFound, "store: output");
    return it->second;
  }
  bool durable() const override { return false; }
  uint64_t size_bytes() const override { return 0; }

 private:
  static std::string request_key(const Job& job) {
    return job.request_id.empty() ? "" : std::to_string(job.principal.uid) + ":" + job.request_id;
  }

  Result<void> move(const Job& job, std::initializer_list<JobState> from, uint32_t attempt) {
    const auto it = jobs_.find(job.id);
    if (it == jobs_.end() || it->second.attempt != attempt)
      return zokio::fail(Errc::Aborted, "store: job state");
    for (const JobState state : from) {
      if (it->second.state != state) continue;
      it->second.state = job.state;
      it->second.attempt = job.attempt;
      return {};
    }
    return zokio::fail(Errc::Aborted, "store: job state");
  }

  Result<void> write(const Insert& w) {
    const std::string key = request_key(w.job);
    if (jobs_.contains(w.job.id) || (!key.empty() && requests_.contains(key)))
      return zokio::fail(Errc::AlreadyExists, "store: insert");
    jobs_.emplace(w.job.id, Kept{w.job.state, w.job.attempt, key});
    if (!key.empty()) requests_.insert(key);
    return {};
  }
  Result<void> write(const StartAttempt& w) {
    return move(w.job, {JobState::Queued}, w.job.attempt - 1);
  }
  Result<void> write(const FinishAttempt& w) {
    if (outputs_.contains({w.job.id, w.job.attempt}))
      return zokio::fail(Errc::AlreadyExists, "store: result");
    ZOKIO_CHECKED(move(w.job, {JobState::Running}, w.job.attempt));
    outputs_.emplace(std::pair(w.job.id, w.job.attempt), Output{w.output, w.output_dropped_bytes});
    return {};
  }
  Result<void> write(const Update& w) {
    const auto it = jobs_.find(w.job.id);
    if (it == jobs_.end() || !update_allowed(it->second.state, w.job.state))
      return zokio::fail(Errc::Aborted, "store: job state");
    return move(w.job, {it->second.state}, w.job.attempt);
  }
  Result<void> write(const Remove& w) {
    for (const JobId& id : w.ids) {
      const auto it = jobs_.find(id);
      if (it == jobs_.end() || !is_terminal(it->second.state)) continue;
      requests_.erase(it->second.request_key);
      jobs_.erase(it);
      outputs_.erase(outputs_.lower_bound({id, 0}), outputs_.upper_bound({id, UINT32_MAX}));
    }
    return {};
  }
  // The engine has them.
  Result<void> write(const PutQueue&) { return {}; }
  Result<void> write(const RemoveQueue&) { return {}; }
  Result<void> write(const Barrier&) { return {}; }

  std::map<JobId, Kept> jobs_;
  std::set<std::string> requests_;
  std::map<std::pair<JobId, uint32_t>, Output> outputs_;
};

}  // namespace

std::unique_ptr<Journal> make_memory_journal() {
  return std::make_unique<MemoryJournal>();
}

}  // namespace zokiod::store
