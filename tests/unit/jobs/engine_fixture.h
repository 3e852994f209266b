// SPDX-License-Identifier: Apache-2.0
#pragma once

// An engine with a store of the test's choice on a real runtime.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "jobs/engine.h"
#include "kinds/kind.h"
#include "runtime_fixture.h"
#include "store/memory_journal.h"
#include "store/sqlite_journal.h"
#include "store/store.h"
#include "temp_dir.h"

namespace zokiod::jobs {

using model::JobState;
using zokio::Errc;
using namespace std::chrono_literals;

// A memory journal whose commits can be made to fail.
class FailingJournal final : public store::Journal {
 public:
  model::Reported<store::Recovered> load() override { return inner_->load(); }
  zokio::Result<void> begin() override {
    if (fail) return zokio::fail_errno(ENOSPC, "test");
    return inner_->begin();
  }
  zokio::Result<void> apply(const store::Write& w) override { return inner_->apply(w); }
  zokio::Result<void> commit() override { return inner_->commit(); }
  void rollback() override {}
  zokio::Result<store::Output> read_output(JobId id, uint32_t attempt) override {
    return inner_->read_output(id, attempt);
  }
  bool durable() const override { return true; }
  uint64_t size_bytes() const override { return 0; }

  std::atomic<bool> fail{false};

 private:
  std::unique_ptr<store::Journal> inner_ = store::make_memory_journal();
};

class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::canonical(dir_.path());
    policy_.exec_enabled = true;
    policy_.roots = {root_.string()};
    policy_.scratch_dir = root_.string();
    auto journal = std::make_unique<FailingJournal>();
    journal_ = journal.get();
    start(std::move(journal));
  }
  void TearDown() override { stop(); }

  void start(std::unique_ptr<store::Journal> journal) {
    zokio::RuntimeOptions options;
    options.workers = 2;
    auto runtime = zokio::Runtime::create(options);
    ASSERT_TRUE(runtime) << runtime.error().to_string();
    runtime_ = *std::move(runtime);
    store_ = std::make_unique<store::Store>(std::move(journal));
    auto engine = Engine::start(
        {runtime_.get(), store_.get(), limits_, std::make_shared<kinds::Policy>(policy_)});
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = *std::move(engine);
  }
  void stop() {
    engine_.reset();
    // Its writer wakes tasks, so it ends before what it wakes them on.
    if (store_) store_->close();
    if (runtime_) EXPECT_TRUE(runtime_->shutdown(60s));
    runtime_.reset();
    store_.reset();
  }
  void restart_with(EngineLimits limits) {
    stop();
    limits_ = limits;
    auto journal = std::make_unique<FailingJournal>();
    journal_ = journal.get();
    start(std::move(journal));
  }

  // Waits for a call of the engine from outside the runtime.
  template <class F>
  auto on_runtime(F f) {
    auto done = runtime_->block_on(std::move(f));
    EXPECT_TRUE(done.has_value());
    return *std::move(done);
  }
  Reported<Submitted> submit(model::JobSpec spec, std::string request_id = "") {
    return on_runtime([&] {
      return engine_->submit(std::move(spec), {std::move(request_id), {1000, 1000}, false});
    });
  }
  JobId must_submit(model::JobSpec spec) {
    const auto done = submit(std::move(spec));
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
    return done ? done->job.id : JobId{};
  }
  Job must_wait(JobId id) {
    const auto done = on_runtime([&] { return engine_->wait(id); });
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
    return done ? *done : Job{};
  }
  Reported<Job> cancel(JobId id) {
    return on_runtime([&] { return engine_->cancel(id); });
  }
  bool reaches(JobId id, JobState state) {
    return zokio::test::eventually([&] {
      const auto job = engine_->get(id);
      return job && job->state == state;
    });
  }

  static model::JobSpec quick(uint64_t seed = 1) {
    model::JobSpec spec;
    spec.work = model::SyntheticSpawnSpec{seed, 10, 2, 1};
    return spec;
  }
  // Runs until the file "go" is there.
  model::JobSpec until_go() const {
    model::JobSpec spec;
    spec.work = model::ExecSpec{
        {"/bin/sh", "-c",
         "echo up; until [ -e " + (root_ / "go").string() + " ]; do sleep 0.02; done; echo went"},
        "",
        {},
        {}};
    return spec;
  }
  void go() { std::ofstream(root_ / "go") << "x"; }
  // Fails: there is no such file.
  model::JobSpec failing() const {
    model::JobSpec spec;
    spec.work = model::FileChecksumSpec{(root_ / "missing").string(), ""};
    return spec;
  }
  KindStats kind_stats(std::string_view kind) const {
    for (const KindStats& k : engine_->stats().kinds)
      if (k.kind == kind) return k;
    return {};
  }

  zokio::test::TempDir dir_;
  std::filesystem::path root_;
  kinds::Policy policy_;
  EngineLimits limits_;
  FailingJournal* journal_ = nullptr;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<zokio::Runtime> runtime_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace zokiod::jobs
