// SPDX-License-Identifier: Apache-2.0
#include "client.h"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ostream>
#include <vector>

#include "context.h"
#include "units.h"

namespace zokioctl {
namespace {

// Large enough for a page of jobs whatever their specs hold.
constexpr int kReceiveBytesMax = 64 << 20;

std::string user_name(uid_t uid) {
  const passwd* entry = getpwuid(uid);
  return entry ? entry->pw_name : std::to_string(uid);
}
std::string group_name(gid_t gid) {
  const group* entry = getgrgid(gid);
  return entry ? entry->gr_name : std::to_string(gid);
}

std::string who_am_i() {
  std::vector<gid_t> groups(static_cast<size_t>(std::max(0, getgroups(0, nullptr))));
  const int count = getgroups(static_cast<int>(groups.size()), groups.data());
  std::string out = "you are " + user_name(geteuid()) + ", groups " + group_name(getegid());
  for (int i = 0; i < count; ++i)
    if (groups[static_cast<size_t>(i)] != getegid())
      out += " " + group_name(groups[static_cast<size_t>(i)]);
  return out;
}

std::string describe(const struct stat& status) {
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", status.st_mode & 07777u);
  return std::string("mode ") + mode + ", owner " + user_name(status.st_uid) + ":" +
         group_name(status.st_gid);
}

// errno of one connect(), 0 when it worked.
int try_connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  const int error =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  close(fd);
  return error;
}

void explain_denied(Failure& out, const std::string& path, const struct stat& status) {
  out.exit_code = kExitDenied;
  out.reason = "SOCKET_NOT_PERMITTED";
  out.message += ": permission denied (" + describe(status) + "; " + who_am_i() + ")";
  if (status.st_mode & 0020)
    out.hint = "sudo usermod -aG " + group_name(status.st_gid) + " " + user_name(geteuid()) +
               ", then log in again";
  else
    out.hint = "run it as " + user_name(status.st_uid) + ", or set rpc.socket_mode of " + path;
}

}  // namespace

std::optional<std::string> socket_path(const std::string& address) {
  if (address.starts_with("unix://")) return address.substr(7);
  if (address.starts_with("unix:")) return address.substr(5);
  return std::nullopt;
}

Failure explain_connection(const std::string& address) {
  Failure out;
  out.exit_code = kExitUnavailable;
  out.code = "UNAVAILABLE";
  out.reason = "UNREACHABLE";
  out.message = "cannot reach zokiod at " + address;
  const auto path = socket_path(address);
  if (!path) return out;
  struct stat status{};
  const int error = try_connect(*path);
  if (stat(path->c_str(), &status) != 0) {
    const int why = errno;
    out.message += ": " + std::string(std::strerror(why));
    if (why == EACCES) {
      out.exit_code = kExitDenied;
      out.reason = "SOCKET_NOT_PERMITTED";
      out.message += " (" + who_am_i() + ")";
      out.hint = "ask for access to its directory, or name another socket with --address";
    } else {
      out.hint =
          "systemctl status zokiod, or start one (zokiod --runtime-dir DIR) and name its socket "
          "with "
          "--address unix://DIR/zokiod.sock or ZOKIO_ADDRESS";
    }
  } else if (error == EACCES || error == EPERM) {
    explain_denied(out, *path, status);
  } else if (error == ECONNREFUSED) {
    out.message += ": the socket is there (" + describe(status) + "), but nobody listens";
    out.hint = "systemctl restart zokiod; the socket is left over from one that died";
  } else if (error != 0) {
    out.message += ": " + std::string(std::strerror(error)) + " (" + describe(status) + ")";
  } else {
    out.message +=
        ": it accepts and then ends the connection (" + describe(status) + "; " + who_am_i() + ")";
    out.hint = "look at the log of zokiod: journalctl -u zokiod";
  }
  return out;
}

Client::Client(const std::string& address) {
  // gRPC logs connection attempts to stderr by default; ours are explained in one line.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kReceiveBytesMax);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  channel_ = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  jobs_ = v1::JobService::NewStub(channel_);
  queues_ = v1::QueueService::NewStub(channel_);
  runtime_ = v1::RuntimeService::NewStub(channel_);
  stats_ = v1::StatsService::NewStub(channel_);
  admin_ = v1::AdminService::NewStub(channel_);
  health_ = grpc::health::v1::Health::NewStub(channel_);
}

std::unique_ptr<grpc::ClientContext> call_for(std::chrono::nanoseconds timeout) {
  auto out = std::make_unique<grpc::ClientContext>();
  if (timeout.count() > 0)
    out->set_deadline(std::chrono::system_clock::now() +
                      std::chrono::duration_cast<std::chrono::system_clock::duration>(timeout));
  return out;
}

Client& Context::client() {
  if (!client_) client_ = std::make_unique<Client>(address);
  return *client_;
}

void Context::say(const std::string& line) {
  if (!quiet) err << line << std::endl;
}

int Context::report(Failure failure) {
  err << failure.text(color_err) << std::flush;
  return failure.exit_code;
}

int Context::report(const grpc::Status& status) {
  Failure failure = failure_of(status);
  // Without a reason of zokiod's own it is the connection that failed.
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE && failure.reason == "UNAVAILABLE")
    failure = explain_connection(address);
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED &&
      failure.reason == "DEADLINE_EXCEEDED") {
    failure.message = "no answer within " + format_duration(timeout) + " from " + address;
    failure.hint = "a longer --timeout, or look at the log of zokiod";
  }
  return report(std::move(failure));
}

}  // namespace zokioctl
