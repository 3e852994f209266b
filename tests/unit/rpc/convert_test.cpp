// SPDX-License-Identifier: Apache-2.0
#include "rpc/convert.h"

#include <gtest/gtest.h>

#include <set>

namespace zokiod::rpc {
namespace {

using model::JobState;

// A spec of each kind with every field set to something else than its default.
std::vector<model::JobSpec> full_specs() {
  using std::chrono::seconds;
  const std::vector<model::Work> works = {
      model::ExecSpec{{"ls", "-l"}, "/tmp", {{"A", "b"}}, seconds(3), seconds(4), 5, 6, 7},
      model::FileChecksumSpec{"/srv/a", "/srv/m"},
      model::FileCopySpec{"/srv/a", "/srv/b", true},
      model::SyntheticSpawnSpec{1, 2, 3, 4},
      model::SyntheticAllocSpec{1, 2, 3, 4, 5},
      model::SyntheticFileSpec{1, 2, 3, true},
      model::FileScrubSpec{"/srv/t", "/srv/m", 7, "/srv/p"},
      model::FileCompressSpec{"/srv/a", "/srv/b", true, 19},
      model::FileDecompressSpec{"/srv/a", "/srv/b", true, 5},
      model::SyntheticSpinSpec{1, 2, 3},
      model::SyntheticYieldSpec{1, 2, 3},
      model::SyntheticTimerSpec{1, 2, seconds(3)},
      model::SyntheticChannelSpec{1, 2, 3, 4, 5},
      model::SyntheticFanoutSpec{1, 2, 3, 4},
      model::SyntheticTcpSpec{1, 2, 3, 4},
      model::TcpEchoSpec{"127.0.0.1:1", 2, seconds(3), seconds(4)},
      model::TcpProxySpec{"127.0.0.1:1", "a:2", 3, seconds(4), seconds(5), seconds(6)},
      model::PluginSpec{"a", {{"b", "c"}}},
  };
  std::vector<model::JobSpec> out;
  for (const auto& work : works) {
    model::JobSpec& spec = out.emplace_back();
    spec.work = work;
    spec.queue = "bulk";
    spec.priority = -7;
    spec.timeout = seconds(90) + zokio::Duration(5);
    spec.retry = {4, seconds(2), seconds(60), 6};
    spec.delay = seconds(7);
    spec.deadline = seconds(8);
    spec.after = {"01ARZ3NDEKTSV4RRFFQ69G5FAV"};
    spec.on_failure = model::OnFailure::Hold;
    spec.labels = {{"team", "storage"}, {"run", "7"}};
  }
  return out;
}

TEST(Convert, EverySpecSurvivesTheWayThereAndBack) {
  const auto specs = full_specs();
  ASSERT_EQ(specs.size(), std::variant_size_v<model::Work>) << "a kind is missing in this test";
  for (const auto& spec : specs) {
    const auto back = from_proto(to_proto(spec));
    ASSERT_TRUE(back) << spec.kind();
    EXPECT_EQ(*back, spec) << spec.kind();
  }
}

// A field added to a message without its line in fields() stays at its default: caught here.
TEST(Convert, EveryFieldOfASpecIsSet) {
  for (const auto& spec : full_specs()) {
    const v1::JobSpec message = to_proto(spec);
    const auto& reflection = *message.GetReflection();
    const auto* oneof = v1::JobSpec::descriptor()->FindOneofByName("work");
    const auto* field = reflection.GetOneofFieldDescriptor(message, oneof);
    ASSERT_NE(field, nullptr) << spec.kind();
    const auto& work = reflection.GetMessage(message, field);
    std::vector<const google::protobuf::FieldDescriptor*> set;
    work.GetReflection()->ListFields(work, &set);
    EXPECT_EQ(static_cast<int>(set.size()), work.GetDescriptor()->field_count()) << spec.kind();
  }
}

TEST(Convert, KindAloneHasTheDefaultsOfTheKind) {
  v1::JobSpec message;
  message.set_kind("synthetic.spawn");
  const auto spec = from_proto(message);
  ASSERT_TRUE(spec);
  EXPECT_EQ(std::get<model::SyntheticSpawnSpec>(spec->work), model::SyntheticSpawnSpec{});
  EXPECT_EQ(spec->retry.attempts_max, 1u);
}

struct Wrong {
  const char* name;
  std::function<void(v1::JobSpec&)> make;
  const char* field;
};

TEST(Convert, WrongSpecsNameTheField) {
  const std::vector<Wrong> table = {
      {"nothing", [](v1::JobSpec&) {}, "spec.kind"},
      {"unknown kind", [](v1::JobSpec& s) { s.set_kind("no.such"); }, "spec.kind"},
      {"kind and work differ",
       [](v1::JobSpec& s) {
         s.set_kind("exec");
         s.mutable_file_copy();
       },
       "spec.kind"},
      {"negative timeout",
       [](v1::JobSpec& s) {
         s.mutable_exec();
         s.mutable_timeout()->set_seconds(-1);
       },
       "spec.timeout"},
      {"a thousand years",
       [](v1::JobSpec& s) {
         s.mutable_exec();
         s.mutable_backoff_max()->set_seconds(1000ll * 365 * 86400);
       },
       "spec.backoff_max"},
      {"malformed nanoseconds",
       [](v1::JobSpec& s) {
         s.mutable_exec();
         s.mutable_backoff_initial()->set_nanos(2'000'000'000);
       },
       "spec.backoff_initial"},
      {"grace", [](v1::JobSpec& s) { s.mutable_exec()->mutable_grace()->set_seconds(-5); },
       "spec.exec.grace"},
  };
  for (const auto& wrong : table) {
    v1::JobSpec message;
    wrong.make(message);
    const auto spec = from_proto(message);
    ASSERT_FALSE(spec) << wrong.name;
    EXPECT_EQ(spec.error().error.code, zokio::Errc::InvalidArgument) << wrong.name;
    EXPECT_EQ(spec.error().reason, model::reason::kInvalidField) << wrong.name;
    ASSERT_EQ(spec.error().violations.size(), 1u) << wrong.name;
    EXPECT_EQ(spec.error().violations[0].field, wrong.field) << wrong.name;
    EXPECT_FALSE(spec.error().violations[0].description.empty()) << wrong.name;
  }
}

TEST(Convert, AllWrongFieldsAtOnce) {
  v1::JobSpec message;
  message.set_kind("no.such");
  message.mutable_timeout()->set_seconds(-1);
  const auto spec = from_proto(message);
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().violations.size(), 2u);
}

TEST(Convert, StatesAndOutcomesAreOneToOne) {
  std::set<int> seen;
  for (JobState state : model::kJobStates) {
    const auto message = to_proto(state);
    EXPECT_NE(message, v1::JOB_STATE_UNSPECIFIED);
    EXPECT_EQ(from_proto(message), state);
    seen.insert(message);
  }
  EXPECT_EQ(seen.size(), model::kJobStates.size());
  EXPECT_FALSE(from_proto(v1::JOB_STATE_UNSPECIFIED));
  EXPECT_FALSE(from_proto(static_cast<v1::JobState>(99)));
  std::set<int> outcomes;
  for (model::Outcome outcome : model::kOutcomes) outcomes.insert(to_proto(outcome));
  EXPECT_EQ(outcomes.size(), model::kOutcomes.size());
  EXPECT_FALSE(outcomes.contains(v1::ATTEMPT_OUTCOME_UNSPECIFIED));
}

TEST(Convert, JobHasItsTimesErrorAndResult) {
  model::Job job;
  job.id = *model::JobId::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV");
  job.spec.work = model::ExecSpec{{"false"}, "", {}, {}};
  job.state = model::StateCell::restored(JobState::Failed);
  job.principal = {1000, 100};
  job.attempt = 2;
  job.created = {1'700'000'000'000'000'001};
  job.error = {zokio::Errc::Internal, "EXIT_CODE", "exit code 1"};
  job.result = model::ExecResult{1, 0, 12};
  const auto message = to_proto(job);
  EXPECT_EQ(message.id(), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  EXPECT_EQ(message.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(message.principal().uid(), 1000u);
  EXPECT_EQ(message.create_time().seconds(), 1'700'000'000);
  EXPECT_EQ(message.create_time().nanos(), 1);
  EXPECT_FALSE(message.has_finish_time());
  EXPECT_EQ(message.error().code(), "INTERNAL");
  EXPECT_EQ(message.error().reason(), "EXIT_CODE");
  EXPECT_EQ(message.result().exec().exit_code(), 1);
}

// The same for results.
TEST(Convert, EveryFieldOfAResultIsSet) {
  const std::vector<model::JobResult> results = {
      model::ExecResult{1, 2, 3},
      model::FileChecksumResult{1, 2, 3, "a", "b", "c"},
      model::FileCopyResult{1, "a", "b"},
      model::SyntheticResult{1, 2, "a"},
      model::FileScrubResult{1, 2, 3, 4, 5, 6},
      model::FileCompressResult{1, 2, "a", "b"},
      model::PluginResult{"a", "b", "c"},
  };
  ASSERT_EQ(results.size() + 1, std::variant_size_v<model::JobResult>) << "one is missing here";
  for (const auto& result : results) {
    model::Job job;
    job.result = result;
    const v1::JobResult message = to_proto(job).result();
    const auto* field = message.GetReflection()->GetOneofFieldDescriptor(
        message, v1::JobResult::descriptor()->FindOneofByName("result"));
    ASSERT_NE(field, nullptr) << result.index();
    const auto& set_in = message.GetReflection()->GetMessage(message, field);
    std::vector<const google::protobuf::FieldDescriptor*> set;
    set_in.GetReflection()->ListFields(set_in, &set);
    EXPECT_EQ(static_cast<int>(set.size()), set_in.GetDescriptor()->field_count()) << field->name();
  }
}

TEST(Convert, SucceededJobHasNoError) {
  model::Job job;
  job.spec.work = model::FileChecksumSpec{"/x", ""};
  job.result = model::FileChecksumResult{1, 2, 3, "a", "b", "c"};
  const auto message = to_proto(job);
  EXPECT_FALSE(message.has_error());
  EXPECT_TRUE(message.id().empty());
  EXPECT_EQ(message.result().file_checksum().sha256(), "b");
}

TEST(Convert, UpdateTakesWhatTheMaskNames) {
  v1::UpdateRuntimeRequest request;
  auto* desired = request.mutable_runtime()->mutable_desired();
  desired->set_workers(8);
  desired->set_reactors(2);
  auto* pool = desired->add_pools();
  pool->set_name("frames");
  pool->set_limit_bytes(100);
  request.mutable_update_mask()->add_paths("desired.workers");
  request.set_etag("e");
  request.set_validate_only(true);
  auto update = from_proto(request);
  ASSERT_TRUE(update);
  EXPECT_EQ(update->workers, 8u);
  EXPECT_FALSE(update->reactors);
  EXPECT_TRUE(update->pools.empty());
  EXPECT_EQ(update->etag, "e");
  EXPECT_TRUE(update->validate_only);

  request.clear_update_mask();
  update = from_proto(request);
  ASSERT_TRUE(update);
  EXPECT_EQ(update->reactors, 2u);
  EXPECT_EQ(update->pools, (std::vector<PoolLimit>{{"frames", 100}}));
}

TEST(Convert, ZeroWorkersInTheMaskAreAskedForNotLeftOut) {
  v1::UpdateRuntimeRequest request;
  request.mutable_update_mask()->add_paths("desired.workers");
  const auto update = from_proto(request);
  ASSERT_TRUE(update);
  EXPECT_EQ(update->workers, 0u);
}

TEST(Convert, UnknownMaskPathIsRefused) {
  v1::UpdateRuntimeRequest request;
  request.mutable_update_mask()->add_paths("desired.workers");
  request.mutable_update_mask()->add_paths("actual.workers");
  const auto update = from_proto(request);
  ASSERT_FALSE(update);
  EXPECT_EQ(update.error().reason, model::reason::kInvalidField);
  EXPECT_EQ(update.error().violations[0].field, "update_mask");
}

TEST(Convert, EmptyUpdateIsRefused) {
  EXPECT_FALSE(from_proto(v1::UpdateRuntimeRequest{}));
}

TEST(Convert, IdsAreChecked) {
  EXPECT_TRUE(parse_id("01ARZ3NDEKTSV4RRFFQ69G5FAV", "id"));
  for (const char* bad : {"", "x", "01ARZ3NDEKTSV4RRFFQ69G5FA", "../../etc/passwd"}) {
    const auto id = parse_id(bad, "id");
    ASSERT_FALSE(id) << bad;
    EXPECT_EQ(id.error().violations[0].field, "id");
  }
}

}  // namespace
}  // namespace zokiod::rpc
