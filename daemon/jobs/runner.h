// SPDX-License-Identifier: Apache-2.0
#pragma once

// One attempt while it runs: what the kind sees of it, and how it is told to stop.

#include <atomic>
#include <memory>
#include <mutex>

#include "jobs/output.h"
#include "kinds/kind.h"
#include "zokio/runtime.h"

namespace zokiod::jobs {

// Why an attempt was told to stop. The first reason stays.
enum class StopReason : uint8_t { None, Cancel, Interrupt };

struct Run final : kinds::JobContext {
  Run(Job j, std::shared_ptr<const kinds::Policy> p, zokio::Runtime& r, uint64_t output_limit)
      : job_(std::move(j)), policy_(std::move(p)), runtime_(r), output(output_limit) {}

  const Job& job() const override { return job_; }
  const kinds::Policy& policy() const override { return *policy_; }
  zokio::Runtime& runtime() override { return runtime_; }
  void progress(uint64_t d, uint64_t t) override {
    done.store(d, std::memory_order_relaxed);
    total.store(t, std::memory_order_relaxed);
  }
  void note(std::string text) override {
    std::lock_guard lock(mutex_);
    note_ = std::move(text);
  }
  std::string last_note() const {
    std::lock_guard lock(mutex_);
    return note_;
  }
  void write_log(std::string_view text) override { output.append(text); }

  // Asks the attempt to stop; what it waits for ends with Cancelled. Thread: any. Idempotent.
  void stop(StopReason why);
  // Takes the handle of the kind's task; stops it at once if that was asked for before.
  void attach(zokio::JoinHandle<zokio::Result<void>> handle);
  StopReason stop_reason() const { return reason_.load(); }
  zokio::JoinHandle<zokio::Result<void>>& handle() { return handle_; }

  // Written by the kind's task, read after its end.
  model::Reported<kinds::Finished> result{std::unexpect};
  bool timed_out = false;

  // Any thread, atomic.
  std::atomic<uint64_t> done{0}, total{0};

  const Job job_;
  const std::shared_ptr<const kinds::Policy> policy_;
  zokio::Runtime& runtime_;
  OutputBuffer output;

 private:
  std::atomic<StopReason> reason_{StopReason::None};
  mutable std::mutex mutex_;
  std::string note_;                               // guarded by mutex_
  bool attached_ = false;                          // guarded by mutex_
  zokio::JoinHandle<zokio::Result<void>> handle_;  // set under mutex_ once
};

}  // namespace zokiod::jobs
