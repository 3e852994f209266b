// SPDX-License-Identifier: Apache-2.0
#include "rpc/status.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <gtest/gtest.h>

namespace zokiod::rpc {
namespace {

using model::make_report;
using zokio::Errc;

google::rpc::Status rich_of(const grpc::Status& status) {
  google::rpc::Status out;
  EXPECT_TRUE(out.ParseFromString(status.error_details()));
  return out;
}

template <class Detail>
std::optional<Detail> detail_of(const grpc::Status& status) {
  const google::rpc::Status rich = rich_of(status);
  for (const auto& any : rich.details()) {
    Detail out;
    if (any.UnpackTo(&out)) return out;
  }
  return std::nullopt;
}

// Errc takes the numbers of gRPC; the table must say the same, for every code.
TEST(Status, EveryErrcHasItsGrpcCodeAndBack) {
  for (int code = 1; code <= 15; ++code) {
    const Errc errc = static_cast<Errc>(code);
    EXPECT_EQ(static_cast<int>(to_grpc(errc)), code);
    EXPECT_EQ(from_grpc(static_cast<grpc::StatusCode>(code)), errc);
  }
  EXPECT_EQ(from_grpc(grpc::StatusCode::OK), Errc::Unknown);
  EXPECT_EQ(from_grpc(grpc::StatusCode::UNAUTHENTICATED), Errc::Unknown);
}

TEST(Status, EveryErrorCarriesErrorInfo) {
  auto report = make_report(Errc::NotFound, "JOB_NOT_FOUND", "no job X");
  report.metadata["job_id"] = "X";
  const auto status = to_status(report);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "no job X");
  EXPECT_EQ(rich_of(status).code(), 5);
  const auto info = detail_of<google::rpc::ErrorInfo>(status);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->reason(), "JOB_NOT_FOUND");
  EXPECT_EQ(info->domain(), "zokio.dev");
  EXPECT_EQ(info->metadata().at("job_id"), "X");
  EXPECT_FALSE(detail_of<google::rpc::RetryInfo>(status));
}

TEST(Status, AReasonIsNeverMissing) {
  const auto info =
      detail_of<google::rpc::ErrorInfo>(to_status(make_report(Errc::DataLoss, "", "broken")));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->reason(), "DATA_LOSS");
}

TEST(Status, WrongFieldsComeAllAtOnce) {
  auto report = make_report(Errc::InvalidArgument, model::reason::kInvalidField, "two are wrong");
  report.violations = {{"spec.a", "too long"}, {"spec.b", "negative"}};
  const auto bad = detail_of<google::rpc::BadRequest>(to_status(report));
  ASSERT_TRUE(bad);
  ASSERT_EQ(bad->field_violations_size(), 2);
  EXPECT_EQ(bad->field_violations(0).field(), "spec.a");
  EXPECT_EQ(bad->field_violations(1).description(), "negative");
}

TEST(Status, FullQueueSaysWhichLimitAndWhenToComeBack) {
  const auto status =
      to_status(make_report(Errc::ResourceExhausted, model::reason::kQueueFull, "full"));
  const auto quota = detail_of<google::rpc::QuotaFailure>(status);
  ASSERT_TRUE(quota);
  EXPECT_EQ(quota->violations(0).subject(), "queue");
  const auto retry = detail_of<google::rpc::RetryInfo>(status);
  ASSERT_TRUE(retry);
  EXPECT_GT(retry->retry_delay().seconds(), 0);
}

TEST(Status, DrainingSaysWhenToComeBack) {
  const auto status = to_status(make_report(Errc::Unavailable, model::reason::kDraining, "x"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(detail_of<google::rpc::RetryInfo>(status));
}

TEST(Status, PreconditionNamesItsSubject) {
  auto report = make_report(Errc::FailedPrecondition, "RESIZE_INFEASIBLE", "too small");
  report.violations = {{"pool.frames", "1Mi in use"}};
  const auto failure = detail_of<google::rpc::PreconditionFailure>(to_status(report));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->violations(0).type(), "RESIZE_INFEASIBLE");
  EXPECT_EQ(failure->violations(0).subject(), "pool.frames");
}

}  // namespace
}  // namespace zokiod::rpc
