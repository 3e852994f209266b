// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "model/limits.h"
#include "zokio/base/assert.h"
#include "zokio/base/clock.h"
#include "zokio/sync/oneshot.h"

namespace zokiod::store {
namespace {

using zokio::Detail;
using zokio::Errc;
using zokio::Instant;
using zokio::Result;

// An idle writer shows that it lives this often; the watchdog looks at seconds.
constexpr std::chrono::milliseconds kHeartbeat{500};
// At least this lies between two rests.
constexpr zokio::Duration kRest = std::chrono::milliseconds(450);

}  // namespace

Store::Store(std::unique_ptr<Journal> journal) : journal_(std::move(journal)) {}

Store::~Store() {
  close();
}

model::Reported<Recovered> Store::open() {
  ZOKIO_CHECK(!started_, "a store is opened once");
  auto recovered = journal_->load();
  if (!recovered) return recovered;
  started_ = true;
  heartbeat_ns_ = Instant::now().ns;
  thread_ = std::thread([this] { run(); });
  return recovered;
}

void Store::enqueue(Item item) {
  {
    std::lock_guard lock(mutex_);
    if (!closed_ && started_) {
      queue_.push_back(std::move(item));
      if (queue_.size() == 1) wake_.notify_one();
      return;
    }
  }
  const auto refused = zokio::fail(Errc::Unavailable, "store", Detail::Shutdown);
  if (auto* pending = std::get_if<Pending>(&item))
    pending->done(refused);
  else
    std::get<Read>(item).done(refused);
}

void Store::write(Write write, Done done) {
  enqueue(Pending{std::move(write), std::move(done), Instant::now().ns});
}

void Store::read_output(JobId id, uint32_t attempt, OutputDone done) {
  enqueue(Read{id, attempt, std::move(done)});
}

zokio::Task<Result<void>> Store::commit(Write write) {
  auto channel = zokio::sync::oneshot<Result<void>>();
  this->write(std::move(write), [sender = std::move(channel.first)](Result<void> r) mutable {
    sender.send(std::move(r));
  });
  ZOKIO_CO_TRY(Result<void> result, co_await channel.second.recv());
  co_return result;
}

zokio::Task<Result<Output>> Store::output(JobId id, uint32_t attempt) {
  auto channel = zokio::sync::oneshot<Result<Output>>();
  read_output(id, attempt, [sender = std::move(channel.first)](Result<Output> r) mutable {
    sender.send(std::move(r));
  });
  ZOKIO_CO_TRY(Result<Output> result, co_await channel.second.recv());
  co_return result;
}

void Store::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Store::run() {
  std::deque<Item> batch;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, kHeartbeat, [this] { return !queue_.empty() || closed_; });
      if (queue_.empty() && closed_) return;
      const size_t take = std::min(queue_.size(), model::kCommitBatchMax);
      const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(take);
      batch.assign(std::move_iterator(queue_.begin()), std::move_iterator(end));
      queue_.erase(queue_.begin(), end);
    }
    heartbeat_ns_.store(Instant::now().ns, std::memory_order_relaxed);
    if (!batch.empty()) run_batch(batch);
    batch.clear();
    rest();
  }
}

// Between two batches: a store that failed is tried, so that it is known to be well again also when
// nobody writes; free space goes back, a little at a time.
void Store::rest() {
  const int64_t now = Instant::now().ns;
  if (now - tidied_ns_ < kRest.count()) return;
  tidied_ns_ = now;
  if (healthy_.load()) return journal_->tidy();
  if (Result<void> done = journal_->probe(); done) {
    std::lock_guard lock(mutex_);
    error_.clear();
    healthy_.store(true);
  }
}

model::Reported<BackupInfo> Store::backup(std::string name) const {
  const std::string file = journal_->file();
  if (file.empty())
    return model::refuse(Errc::FailedPrecondition, "NO_STORE_FILE",
                         "this daemon keeps its jobs in memory (--ephemeral): there is nothing to "
                         "copy");
  if (name.empty()) {
    const std::time_t now = model::WallTime::now().unix_ns / 1'000'000'000;
    name = fmt::format("zokio-{:%Y%m%dT%H%M%SZ}.db", fmt::gmtime(now));
  }
  return backup_database(file, file.substr(0, file.rfind('/')) + "/backups", name);
}

// Writes first, as one transaction; then the reads, which so see every write before them.
void Store::run_batch(std::deque<Item>& batch) {
  std::deque<Result<void>> results;
  const bool writes =
      std::ranges::any_of(batch, [](const Item& i) { return std::holds_alternative<Pending>(i); });
  if (writes) {
    Result<void> whole = journal_->begin();
    for (Item& item : batch) {
      if (auto* pending = std::get_if<Pending>(&item); pending != nullptr && whole)
        results.push_back(journal_->apply(pending->write));
    }
    if (whole) {
      const Instant start = Instant::now();
      whole = journal_->commit();
      fsync_ns_.record_shared(static_cast<uint64_t>((Instant::now() - start).count()));
      if (!whole) journal_->rollback();
    }
    if (!whole) {
      // Nothing of the batch happened, whatever apply() said.
      results.clear();
      for (const Item& item : batch)
        if (std::holds_alternative<Pending>(item)) results.push_back(whole);
    }
    {
      std::lock_guard lock(mutex_);
      error_ = whole ? "" : whole.error().to_string();
    }
    healthy_.store(whole.has_value());
    commits_.fetch_add(whole.has_value() ? 1 : 0, std::memory_order_relaxed);
  }
  finish_writes(batch, results);
  for (Item& item : batch)
    if (auto* read = std::get_if<Read>(&item))
      read->done(journal_->read_output(read->id, read->attempt));
}

void Store::finish_writes(std::deque<Item>& batch, std::deque<Result<void>>& results) {
  const int64_t now = Instant::now().ns;
  for (Item& item : batch) {
    auto* pending = std::get_if<Pending>(&item);
    if (pending == nullptr) continue;
    Result<void> result = std::move(results.front());
    results.pop_front();
    if (result) {
      writes_.fetch_add(1, std::memory_order_relaxed);
      append_ns_.record_shared(static_cast<uint64_t>(now - pending->asked_ns));
    } else {
      failures_.fetch_add(1, std::memory_order_relaxed);
      const bool fenced =
          result.error().code == Errc::Aborted || result.error().code == Errc::AlreadyExists;
      if (fenced && std::holds_alternative<FinishAttempt>(pending->write))
        fenced_.fetch_add(1, std::memory_order_relaxed);
    }
    pending->done(std::move(result));
  }
}

JournalStats Store::stats() const {
  JournalStats out;
  {
    std::lock_guard lock(mutex_);
    out.depth = queue_.size();
    out.error = error_;
  }
  out.durable = journal_->durable();
  out.healthy = healthy_.load();
  out.heartbeat_ns = heartbeat_ns_.load(std::memory_order_relaxed);
  out.commits = commits_.load(std::memory_order_relaxed);
  out.writes = writes_.load(std::memory_order_relaxed);
  out.failures = failures_.load(std::memory_order_relaxed);
  out.fenced = fenced_.load(std::memory_order_relaxed);
  out.size_bytes = journal_->size_bytes();
  out.append_ns = append_ns_.snapshot();
  out.fsync_ns = fsync_ns_.snapshot();
  return out;
}

}  // namespace zokiod::store
