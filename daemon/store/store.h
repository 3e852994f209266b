// SPDX-License-Identifier: Apache-2.0
#pragma once

// The job store: one writer thread that commits everything that waits in one transaction.
//
//   write() -> queue -> [begin, apply each, commit] -> done() of each
//
// While one commit waits for the disk the next batch gathers, so the price of a commit is shared by
// whoever came meanwhile, and nobody waits for a timer. See docs/store.md.
// Thread: write, read_output and stats from any thread, in the order of the calls; done() runs on
// the writer thread and must not block.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>

#include "store/backup.h"
#include "store/journal.h"
#include "zokio/stats/histogram.h"
#include "zokio/task/task.h"

namespace zokiod::store {

struct JournalStats {
  bool durable = false;      // false: --ephemeral
  bool healthy = true;       // false: the last commit failed
  std::string error;         // why, when not healthy
  int64_t heartbeat_ns = 0;  // monotonic instant of the writer's last pass
  uint64_t commits = 0;
  uint64_t writes = 0;                 // acknowledged; writes / commits is the batch size
  uint64_t failures = 0;               // writes refused or rolled back
  uint64_t fenced = 0;                 // results refused: not the current attempt, or a second one
  uint64_t size_bytes = 0;             // of the files
  uint64_t depth = 0;                  // writes that wait
  zokio::HistogramSnapshot append_ns;  // asked to acknowledged
  zokio::HistogramSnapshot fsync_ns;   // the commit of a batch
};

class Store {
 public:
  using Done = std::move_only_function<void(zokio::Result<void>)>;
  using OutputDone = std::move_only_function<void(zokio::Result<Output>)>;

  explicit Store(std::unique_ptr<Journal> journal);
  // Commits what waits, then stops.
  ~Store();

  // Reads the journal and starts the writer. Once, first.
  model::Reported<Recovered> open();

  // `done` gets: nothing (durable), or the journal's error; Unavailable/Shutdown after close().
  void write(Write write, Done done);
  // The same for a task. Cancel: the wait ends, the write does not.
  zokio::Task<zokio::Result<void>> commit(Write write);

  // Runs after everything written before it.
  void read_output(JobId id, uint32_t attempt, OutputDone done);
  zokio::Task<zokio::Result<Output>> output(JobId id, uint32_t attempt);

  // Copies the store; see backup.h. Not available with a journal in memory (NO_STORE_FILE).
  // `name` empty: zokio-TIME.db. Thread: one that may block.
  model::Reported<BackupInfo> backup(std::string name) const;

  // Commits what waits and stops the writer. Idempotent.
  void close();
  JournalStats stats() const;

 private:
  struct Pending {
    Write write;
    Done done;
    int64_t asked_ns = 0;
  };
  struct Read {
    JobId id;
    uint32_t attempt = 0;
    OutputDone done;
  };
  using Item = std::variant<Pending, Read>;

  void enqueue(Item item);
  void run();
  void rest();
  void run_batch(std::deque<Item>& batch);
  void finish_writes(std::deque<Item>& batch, std::deque<zokio::Result<void>>& results);

  // Constant after construction.
  std::unique_ptr<Journal> journal_;

  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> queue_;
  bool closed_ = false;
  bool started_ = false;
  std::string error_;

  // The writer's.
  int64_t tidied_ns_ = 0;

  // Any thread, atomic; written by the writer.
  std::atomic<bool> healthy_{true};
  std::atomic<int64_t> heartbeat_ns_{0};
  std::atomic<uint64_t> commits_{0}, writes_{0}, failures_{0}, fenced_{0};
  zokio::stats::Histogram append_ns_, fsync_ns_;

  std::thread thread_;
};

}  // namespace zokiod::store
