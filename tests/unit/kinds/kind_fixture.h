// SPDX-License-Identifier: Apache-2.0
#pragma once

// One kind on a real runtime, both backends, in a directory of its own.

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <sstream>
#include <string>

#include <gmock/gmock.h>

#include "kinds/catalog.h"
#include "runtime_fixture.h"
#include "temp_dir.h"

namespace zokiod::kinds {

using std::chrono::milliseconds;
using std::chrono::seconds;
using zokio::Errc;
using zokio::Task;

inline model::JobIdSource& ids() {
  static model::JobIdSource source;
  return source;
}

// The attempt as the kind sees it, with what it said.
class FakeContext final : public JobContext {
 public:
  FakeContext(zokio::Runtime& runtime, Policy policy, model::Work work)
      : runtime_(runtime), policy_(std::move(policy)) {
    job_.id = ids().next();
    job_.attempt = 1;
    job_.spec.work = std::move(work);
  }

  const model::Job& job() const override { return job_; }
  const Policy& policy() const override { return policy_; }
  zokio::Runtime& runtime() override { return runtime_; }
  void progress(uint64_t done, uint64_t total) override {
    most_done = std::max(most_done.load(), done);
    last_total = total;
    if (on_progress) on_progress(done);
  }
  void note(std::string text) override {
    std::lock_guard lock(mutex_);
    note_ = std::move(text);
  }
  std::string last_note() const {
    std::lock_guard lock(mutex_);
    return note_;
  }
  void write_log(std::string_view text) override {
    std::lock_guard lock(mutex_);
    log_ += text;
  }
  std::string log() const {
    std::lock_guard lock(mutex_);
    return log_;
  }

  std::function<void(uint64_t done)> on_progress;  // set before the run
  std::atomic<uint64_t> most_done{0}, last_total{0};
  // Written by the kind's task, read after its end.
  model::Reported<Finished> result{std::unexpect};

 private:
  zokio::Runtime& runtime_;
  const Policy policy_;
  model::Job job_;
  mutable std::mutex mutex_;
  std::string log_, note_;  // guarded by mutex_
};

inline Task<void> run_kind(FakeContext* context) {
  const KindInfo* kind = find_kind(context->job().spec.kind());
  context->result = co_await kind->run(*context);
}

inline Task<void> joined(zokio::JoinHandle<void>* handle) {
  static_cast<void>(co_await *handle);
}

class KindTest : public zokio::test::RuntimeTest {
 protected:
  void SetUp() override {
    zokio::test::RuntimeTest::SetUp();
    for (const char* name : {"root", "outside", "scratch"})
      std::filesystem::create_directories(directory_ / name);
  }

  std::string root() const { return directory_ / "root"; }
  std::string in_root(const std::string& name) const { return root() + "/" + name; }
  std::string outside(const std::string& name) const { return (directory_ / "outside/") + name; }
  std::string scratch() const { return directory_ / "scratch"; }
  Policy policy() const { return {true, {root()}, {}, scratch()}; }

  // To its end. Not for specs that authorize() would refuse: the runner asks before it runs.
  model::Reported<Finished> run(model::Work work) {
    FakeContext context(*runtime_, policy(), std::move(work));
    return run(context);
  }
  model::Reported<Finished> run(FakeContext& context) {
    EXPECT_TRUE(runtime_->block_on(&run_kind, &context));
    return context.result;
  }
  // Of a synthetic kind that has to succeed.
  model::SyntheticResult result(model::Work work) {
    const auto done = run(std::move(work));
    if (!done) {
      ADD_FAILURE() << done.error().message;
      return {};
    }
    EXPECT_TRUE(done->ok());
    return std::get<model::SyntheticResult>(done->result);
  }
  // Told to stop as soon as `when` is true; its end.
  template <class When>
  model::Reported<Finished> run_and_cancel(FakeContext& context, When when) {
    auto handle = runtime_->spawn(&run_kind, &context);
    EXPECT_TRUE(zokio::test::eventually([&] { return handle.finished() || when(); }));
    handle.cancel();
    static_cast<void>(runtime_->block_on(&joined, &handle));
    return context.result;
  }

  static void write(const std::string& path, const std::string& content) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << content;
  }
  static std::string read(const std::string& path) {
    std::ostringstream out;
    out << std::ifstream(path, std::ios::binary).rdbuf();
    return out.str();
  }
  // Names in a directory, hidden ones as well.
  static std::vector<std::string> names(const std::string& path) {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(path))
      out.push_back(entry.path().filename());
    std::ranges::sort(out);
    return out;
  }

  static Violations violations(model::Work work) {
    model::JobSpec spec;
    spec.work = std::move(work);
    Violations out;
    find_kind(spec.kind())->validate(spec, out);
    return out;
  }
  static model::Reported<> authorized(model::Work work, const Policy& policy) {
    model::JobSpec spec;
    spec.work = std::move(work);
    return find_kind(spec.kind())->authorize(spec, policy);
  }

  zokio::test::TempDir directory_;
};

// Bytes that no two places of a file share.
inline std::string noise(size_t size, uint64_t seed = 1) {
  std::string out(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    out[i] = static_cast<char>(seed >> 56);
  }
  return out;
}

#define EXPECT_REPORT(result, wanted_code, wanted_reason, wanted_message) \
  do {                                                                    \
    const auto& got_ = (result);                                          \
    if (got_.has_value()) {                                               \
      ADD_FAILURE() << "succeeded";                                       \
    } else {                                                              \
      EXPECT_EQ(got_.error().error.code, wanted_code);                    \
      EXPECT_EQ(got_.error().reason, wanted_reason);                      \
      EXPECT_EQ(got_.error().message, wanted_message);                    \
    }                                                                     \
  } while (false)

#define ASSERT_OK(result) ASSERT_TRUE((result).has_value()) << (result).error().message

#define EXPECT_OK(result) EXPECT_TRUE((result).has_value()) << (result).error().message

#define KIND_MATRIX(Fixture)                                                                     \
  INSTANTIATE_TEST_SUITE_P(Backends, Fixture,                                                    \
                           testing::Values(zokio::test::RuntimeParam{2, zokio::Backend::Uring},  \
                                           zokio::test::RuntimeParam{2, zokio::Backend::Epoll}), \
                           zokio::test::param_name)

}  // namespace zokiod::kinds
