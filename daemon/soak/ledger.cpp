// SPDX-License-Identifier: Apache-2.0

#include "soak/ledger.h"

#include <algorithm>

namespace zokiod::soak {
namespace {

constexpr size_t kExamplesMax = 20;
constexpr size_t kErrorsMax = 32;  // different reasons that are told apart

}  // namespace

Ledger::Ledger() : done_(kSlots), early_(kSlots / 8) {
  open_.reserve(4096);
}

size_t Ledger::slot(const model::JobId& id, size_t slots) {
  return std::hash<model::JobId>{}(id) % slots;
}

void Ledger::count(uint64_t Accounting::* figure) {
  const std::lock_guard lock(mutex_);
  ++(books_.*figure);
}

void Ledger::example(const model::JobId& id, const std::string& what) {
  if (books_.examples.size() < kExamplesMax) {
    books_.examples.push_back(id.to_string() + ": " + what);
  }
}

void Ledger::rejected(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  ++books_.rejected;
  if (books_.errors.size() < kErrorsMax || books_.errors.contains(reason)) ++books_.errors[reason];
}

bool Ledger::acknowledged(const model::JobId& id, int64_t due_ns) {
  const std::lock_guard lock(mutex_);
  ++books_.acknowledged;
  Early& early = early_[slot(id, early_.size())];
  if (early.id == id) {
    settle(id, early.state, due_ns, early.at_ns);
    early = {};
    return true;
  }
  open_.emplace(id, due_ns);
  return false;
}

bool Ledger::ended(const model::JobId& id, model::JobState state, int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  const auto it = open_.find(id);
  if (it != open_.end()) {
    const int64_t due_ns = it->second;
    open_.erase(it);
    settle(id, state, due_ns, now_ns);
    return true;
  }
  if (done_[slot(id, done_.size())] == id) {
    ++books_.duplicates;
    example(id, "ended again as " + std::string(to_string(state)));
    return false;
  }
  early_[slot(id, early_.size())] = {id, state, now_ns};
  return false;
}

void Ledger::settle(const model::JobId& id, model::JobState state, int64_t due_ns, int64_t now_ns) {
  done_[slot(id, done_.size())] = id;
  ++(state == model::JobState::Succeeded ? books_.succeeded : books_.failed);
  latency_.record(static_cast<uint64_t>(std::max<int64_t>(0, now_ns - due_ns)));
}

void Ledger::result(const model::JobId& id, const std::string& key, const std::string& checksum) {
  const std::lock_guard lock(mutex_);
  const auto [it, fresh] = checksums_.try_emplace(key, checksum);
  if (fresh || it->second == checksum) return;
  ++books_.mismatches;
  example(id, key + " gave " + checksum + ", an equal job gave " + it->second);
}

void Ledger::failure(const model::JobId& id, const std::string& reason,
                     const std::string& message) {
  const std::lock_guard lock(mutex_);
  if (books_.errors.size() < kErrorsMax || books_.errors.contains(reason)) ++books_.errors[reason];
  example(id, reason + ": " + message);
}

void Ledger::lost(const model::JobId& id, const std::string& why) {
  const std::lock_guard lock(mutex_);
  open_.erase(id);
  ++books_.lost;
  example(id, why);
}

std::vector<model::JobId> Ledger::outstanding() const {
  const std::lock_guard lock(mutex_);
  std::vector<model::JobId> ids;
  ids.reserve(open_.size());
  for (const auto& [id, due] : open_) ids.push_back(id);
  return ids;
}

size_t Ledger::outstanding_count() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

Accounting Ledger::accounting() const {
  const std::lock_guard lock(mutex_);
  Accounting copy = books_;
  copy.outstanding = open_.size();
  return copy;
}

}  // namespace zokiod::soak
