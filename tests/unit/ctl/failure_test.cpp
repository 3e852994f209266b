// SPDX-License-Identifier: Apache-2.0
#include "failure.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <map>

#include "client.h"

namespace zokioctl {
namespace {

using grpc::StatusCode;

TEST(ExitCode, TableOfAllCodes) {
  const std::map<StatusCode, int> table = {
      {StatusCode::OK, 0},
      {StatusCode::CANCELLED, 1},
      {StatusCode::UNKNOWN, 1},
      {StatusCode::INVALID_ARGUMENT, 2},
      {StatusCode::DEADLINE_EXCEEDED, 7},
      {StatusCode::NOT_FOUND, 3},
      {StatusCode::ALREADY_EXISTS, 4},
      {StatusCode::PERMISSION_DENIED, 6},
      {StatusCode::RESOURCE_EXHAUSTED, 8},
      {StatusCode::FAILED_PRECONDITION, 4},
      {StatusCode::ABORTED, 4},
      {StatusCode::OUT_OF_RANGE, 1},
      {StatusCode::UNIMPLEMENTED, 1},
      {StatusCode::INTERNAL, 1},
      {StatusCode::UNAVAILABLE, 5},
      {StatusCode::DATA_LOSS, 1},
      {StatusCode::UNAUTHENTICATED, 6},
  };
  EXPECT_EQ(table.size(), 17u);
  for (auto [code, exit] : table) EXPECT_EQ(exit_code_of(code), exit) << code;
}

TEST(ExitCode, HelpNamesEachOfThem) {
  const std::string help(exit_code_help());
  for (int code : {0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 125, 130})
    EXPECT_NE(help.find("\n  " + std::to_string(code) + " "), std::string::npos) << code;
}

grpc::Status status_with(StatusCode code, const std::string& message, const std::string& reason,
                         const std::map<std::string, std::string>& metadata = {},
                         const std::vector<std::pair<std::string, std::string>>& fields = {}) {
  google::rpc::Status rich;
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("zokio.dev");
  for (const auto& [key, value] : metadata) (*info.mutable_metadata())[key] = value;
  rich.add_details()->PackFrom(info);
  google::rpc::BadRequest bad;
  for (const auto& [field, description] : fields) {
    auto* one = bad.add_field_violations();
    one->set_field(field);
    one->set_description(description);
  }
  if (!fields.empty()) rich.add_details()->PackFrom(bad);
  return {code, message, rich.SerializeAsString()};
}

TEST(Failure, SaysWhatWhyNextStepAndReason) {
  const auto failure = failure_of(status_with(
      StatusCode::FAILED_PRECONDITION, "cannot limit pool \"frames\" to 64Mi: 180Mi in use",
      "RESIZE_INFEASIBLE", {{"pool", "frames"}, {"in_use_bytes", std::to_string(180u << 20)}}));
  EXPECT_EQ(failure.exit_code, 4);
  EXPECT_EQ(failure.text(false),
            "error: cannot limit pool \"frames\" to 64Mi: 180Mi in use (RESIZE_INFEASIBLE). Try: "
            "zokioctl resize pool.frames=181Mi, or --force to converge as blocks are freed\n");
}

TEST(Failure, ListsFieldsThatTheMessageDoesNotName) {
  const auto one = failure_of(status_with(StatusCode::INVALID_ARGUMENT, "spec.a: bad",
                                          "INVALID_FIELD", {}, {{"spec.a", "bad"}}));
  EXPECT_EQ(one.text(false), "error: spec.a: bad (INVALID_FIELD)\n");
  const auto two =
      failure_of(status_with(StatusCode::INVALID_ARGUMENT, "spec.a: bad (and 1 more)",
                             "INVALID_FIELD", {}, {{"spec.a", "bad"}, {"spec.b", "nonsense"}}));
  EXPECT_EQ(two.text(false),
            "error: spec.a: bad (and 1 more) (INVALID_FIELD)\n  spec.b: nonsense\n");
}

TEST(Failure, WithoutDetailsTheCodeIsTheReason) {
  const auto failure = failure_of({StatusCode::INTERNAL, "oops"});
  EXPECT_EQ(failure.reason, "INTERNAL");
  EXPECT_EQ(failure.exit_code, 1);
}

TEST(Failure, AMessageBeyondWhatGrpcReadsIsNamed) {
  const auto failure =
      failure_of({StatusCode::RESOURCE_EXHAUSTED, "Received message larger than max (9 vs. 4)"});
  EXPECT_EQ(failure.reason, "REQUEST_TOO_LARGE");
  EXPECT_EQ(failure.exit_code, 8);
  EXPECT_FALSE(failure.hint.empty());
}

TEST(Failure, ColourOnlyWhenAskedFor) {
  const auto failure = usage("x");
  EXPECT_EQ(failure.text(false).find('\033'), std::string::npos);
  EXPECT_NE(failure.text(true).find('\033'), std::string::npos);
}

TEST(Failure, WaitTimedOutSaysHowToGoOn) {
  const auto failure = failure_of(status_with(StatusCode::DEADLINE_EXCEEDED, "not finished",
                                              "WAIT_TIMED_OUT", {{"job_id", "01X"}}));
  EXPECT_EQ(failure.exit_code, 7);
  EXPECT_EQ(failure.hint, "zokioctl job wait 01X");
}

class ExplainConnection : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "zokio-ctl-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
};

TEST_F(ExplainConnection, NothingThere) {
  const auto failure = explain_connection("unix://" + directory_ + "/none.sock");
  EXPECT_EQ(failure.exit_code, 5);
  EXPECT_NE(failure.message.find(directory_ + "/none.sock"), std::string::npos);
  EXPECT_NE(failure.message.find("No such file"), std::string::npos);
  EXPECT_NE(failure.hint.find("--address"), std::string::npos);
}

TEST_F(ExplainConnection, LeftOverSocketShowsModeAndOwner) {
  const std::string path = directory_ + "/s.sock";
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  close(fd);
  ASSERT_EQ(chmod(path.c_str(), 0660), 0);
  const auto failure = explain_connection("unix://" + path);
  EXPECT_EQ(failure.exit_code, 5);
  EXPECT_NE(failure.message.find("mode 0660, owner "), std::string::npos) << failure.message;
  EXPECT_NE(failure.message.find("nobody listens"), std::string::npos);
}

TEST(SocketPath, OfUnixAddressesOnly) {
  EXPECT_EQ(socket_path("unix:///run/x"), "/run/x");
  EXPECT_EQ(socket_path("unix:rel/x"), "rel/x");
  EXPECT_EQ(socket_path("localhost:1"), std::nullopt);
}

}  // namespace
}  // namespace zokioctl
