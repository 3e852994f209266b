// SPDX-License-Identifier: Apache-2.0
#include "output.h"

#include <gtest/gtest.h>
#include <zokio/v1/admin_service.pb.h>
#include <zokio/v1/job_service.pb.h>
#include <zokio/v1/runtime_service.pb.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "job_view.h"

namespace zokioctl {
namespace {

namespace v1 = ::zokio::v1;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

v1::Job some_job() {
  v1::Job job;
  job.set_id("01ARZ3NDEKTSV4RRFFQ69G5FAV");
  job.mutable_spec()->set_kind("exec");
  job.mutable_spec()->mutable_exec()->add_argv("ls");
  job.mutable_spec()->mutable_timeout()->set_seconds(90);
  (*job.mutable_spec()->mutable_labels())["b"] = "2";
  (*job.mutable_spec()->mutable_labels())["a"] = "1";
  job.set_state(v1::JOB_STATE_TIMED_OUT);
  job.mutable_create_time()->set_seconds(1'700'000'000);
  job.set_revision(1ull << 60);
  return job;
}

TEST(Json, IsWhatProgramsLike) {
  const auto json = nlohmann::json::parse(json_line(some_job()));
  EXPECT_EQ(json["state"], "timed_out");
  EXPECT_EQ(json["revision"], 1ull << 60) << "a number, not text";
  EXPECT_EQ(json["create_time"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(json["spec"]["timeout"], "90s");
  EXPECT_EQ(json["attempt"], 0) << "scalars are always there";
  EXPECT_EQ(json["request_id"], "");
  EXPECT_FALSE(json.contains("finish_time")) << "unset messages are left out";
  EXPECT_FALSE(json["spec"].contains("file_copy"));
  EXPECT_EQ(json["spec"]["labels"].dump(), R"({"a":"1","b":"2"})");
}

TEST(Json, ALineIsOneLine) {
  v1::ReadJobLogResponse chunk;
  chunk.set_data("two\nlines and \xff no utf-8");
  const auto line = json_line(chunk);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_TRUE(nlohmann::json::accept(line));
  EXPECT_EQ(json_document(chunk).back(), '\n');
}

void names(const Descriptor& d, const std::string& path, int depth, std::ostream& out) {
  for (int i = 0; i < d.field_count(); ++i) {
    const FieldDescriptor& f = *d.field(i);
    out << path << f.name() << (f.is_repeated() && !f.is_map() ? "[]" : "") << '\n';
    if (f.message_type() && !f.is_map() && depth < 6 &&
        !f.message_type()->full_name().starts_with("google."))
      names(*f.message_type(), path + f.name() + ".", depth + 1, out);
  }
}

// The fields of -o json are a promise: a name that goes or changes breaks a script. The file is
// written anew by ZOKIO_UPDATE_GOLDEN=1.
TEST(Json, FieldsAreThoseOfTheGoldenFile) {
  std::ostringstream out;
  names(*v1::Job::descriptor(), "job.", 0, out);
  names(*v1::JobEvent::descriptor(), "event.", 0, out);
  names(*v1::Runtime::descriptor(), "runtime.", 0, out);
  names(*v1::Stats::descriptor(), "stats.", 0, out);
  names(*v1::DrainResponse::descriptor(), "drain.", 0, out);
  names(*v1::ReloadConfigResponse::descriptor(), "reload.", 0, out);
  names(*v1::GetServerInfoResponse::descriptor(), "server.", 0, out);
  const std::string path = std::string(ZOKIO_GOLDEN) + "/json_fields.txt";
  if (std::getenv("ZOKIO_UPDATE_GOLDEN")) std::ofstream(path) << out.str();
  std::stringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(out.str(), golden.str());
}

TEST(Table, PadsColumnsAndTrimsLines) {
  Table table({"A", "LONG", "C"});
  table.add({"xx", "y", ""});
  table.add({"x", "\xc3\xa4\xc3\xb6", "z"});
  std::ostringstream out;
  table.print(out, false);
  EXPECT_EQ(out.str(), "A   LONG  C\nxx  y\nx   \xc3\xa4\xc3\xb6    z\n");
}

TEST(JobView, StatesHaveNamesBothWays) {
  for (int i = 1; i < v1::JobState_ARRAYSIZE; ++i) {
    const auto state = static_cast<v1::JobState>(i);
    EXPECT_EQ(parse_state(state_name(state)), state);
  }
  EXPECT_EQ(state_name(v1::JOB_STATE_TIMED_OUT), "timed_out");
  EXPECT_EQ(parse_state("unspecified"), std::nullopt);
  EXPECT_EQ(parse_state("QUEUED"), std::nullopt);
}

TEST(JobView, ResultInOneLine) {
  v1::Job job = some_job();
  job.mutable_result()->mutable_exec()->set_exit_code(3);
  job.mutable_error()->set_reason("EXIT_CODE");
  job.mutable_error()->set_message("exit code 3");
  EXPECT_EQ(result_text(job), "exit code 3");
  job.mutable_error()->set_reason("TIMED_OUT");
  job.mutable_error()->set_message("took longer than 90s");
  EXPECT_EQ(result_text(job), "took longer than 90s (TIMED_OUT)");
}

}  // namespace
}  // namespace zokioctl
