// SPDX-License-Identifier: Apache-2.0
#include "rpc/server.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "rpc/auth.h"
#include "rpc/identities.h"
#include "rpc/socket.h"
#include "zokio/base/assert.h"
#include "zokio/os/fd.h"

namespace zokiod::rpc {

using model::Reported;
using zokio::os::Fd;

namespace {
// After accept() found no free descriptor: connections end meanwhile.
constexpr int kAcceptPauseMs = 100;
// Users whose denial is logged once each; more are only counted.
constexpr size_t kLoggedDenialsMax = 1000;
}  // namespace

struct Server::Impl {
  Impl(ServerOptions o, Dependencies d, Fd listener)
      : options(std::move(o)),
        dependencies(std::move(d)),
        listen_fd(std::move(listener)),
        wake_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        identities(options, dependencies, stats) {}

  void run();
  void accept_all();
  void take(Fd connection);
  void stop(zokio::Duration grace);

  ServerOptions options;
  Dependencies dependencies;
  CallStats stats;
  Fd listen_fd;
  Fd wake_fd;
  bool owns_path = false;
  uint64_t path_device = 0;
  uint64_t path_inode = 0;

  Identities identities;
  std::mutex mutex;
  AccessList access;                  // guarded by mutex
  std::set<uint32_t> logged_denials;  // the acceptor's
  bool accept_paused = false;         // the acceptor's
  std::once_flag stop_once;
  std::thread acceptor;
};

void Server::Impl::run() {
  // Ends when wake_fd is written.
  while (true) {
    pollfd fds[2] = {{wake_fd.get(), POLLIN, 0}, {listen_fd.get(), POLLIN, 0}};
    const nfds_t count = accept_paused ? 1 : 2;
    const int ready = poll(fds, count, accept_paused ? kAcceptPauseMs : -1);
    if (ready < 0 && errno != EINTR) ZOKIO_CHECK(false, "poll of our own descriptors");
    if (fds[0].revents != 0) return;
    accept_paused = false;
    accept_all();
  }
}

void Server::Impl::accept_all() {
  // Bounded by the backlog.
  while (true) {
    Fd connection(accept4(listen_fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection) {
      take(std::move(connection));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      spdlog::warn("rpc: accept: {}", zokio::Error::from_errno(errno, "accept").to_string());
      accept_paused = true;
    }
    return;
  }
}

void Server::Impl::take(Fd connection) {
  auto peer = read_peer(connection.get());
  // Gone already; nobody to answer.
  if (!peer) return;
  stats.connections_accepted.add_shared();
  bool allowed = false;
  {
    std::scoped_lock lock(mutex);
    allowed = access.allows(*peer);
  }
  const uint32_t uid = peer->principal.uid;
  if (!allowed) {
    if (logged_denials.size() < kLoggedDenialsMax && logged_denials.insert(uid).second)
      spdlog::warn("rpc: denied uid {} gid {} (pid {})", uid, peer->principal.gid, peer->pid);
    identities.deny(connection.release());
    return;
  }
  if (!identities.serve(connection.release(), peer->principal)) {
    stats.connections_refused.add_shared();
    spdlog::warn("rpc: closed a connection of uid {}: more than {} identities", uid,
                 kIdentitiesMax);
  }
}

void Server::Impl::stop(zokio::Duration grace) {
  std::call_once(stop_once, [&] {
    const uint64_t one = 1;
    ZOKIO_CHECK(write(wake_fd.get(), &one, sizeof one) == sizeof one, "an eventfd takes a one");
    if (acceptor.joinable()) acceptor.join();
    listen_fd.reset();
    if (owns_path) remove_socket(options.socket_path, path_device, path_inode);
    identities.stop(grace);
  });
}

Reported<std::unique_ptr<Server>> Server::start(ServerOptions options, Dependencies dependencies) {
  ZOKIO_CHECK(dependencies.runtime && dependencies.engine && dependencies.control &&
                  dependencies.process && dependencies.reload,
              "the server needs all of them");
  const bool activated = options.listen_fd >= 0;
  Fd listener(std::exchange(options.listen_fd, -1));
  if (!activated) {
    auto made = listen_unix(options.socket_path, options.socket_mode, options.socket_group);
    if (!made) return model::refuse(made.error());
    listener = *std::move(made);
  } else if (fcntl(listener.get(), F_SETFL, fcntl(listener.get(), F_GETFL) | O_NONBLOCK) != 0) {
    // systemd hands it over blocking; the acceptor would wait in accept() and never see the stop.
    return model::refuse(model::make_report(zokio::Error::from_errno(errno, "fcntl"),
                                            "the socket that was handed over"));
  }
  auto impl =
      std::make_unique<Impl>(std::move(options), std::move(dependencies), std::move(listener));
  struct stat status{};
  if (stat(impl->options.socket_path.c_str(), &status) != 0)
    return model::refuse(model::make_report(zokio::Error::from_errno(errno, "stat"),
                                            "socket " + impl->options.socket_path));
  impl->owns_path = !activated;
  impl->path_device = status.st_dev;
  impl->path_inode = status.st_ino;
  impl->access = {geteuid(), status.st_gid, impl->options.allowed_uids, impl->options.allowed_gids};
  // Calls that come after a drain began are turned away by the engine; health says so first.
  impl->dependencies.on_drain = [state = impl.get(), tell = impl->dependencies.on_drain](
                                    zokio::Duration deadline, const std::string& why) {
    state->identities.set_ready(false);
    if (tell) tell(deadline, why);
  };
  impl->acceptor = std::thread([state = impl.get()] { state->run(); });
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  stop({});
}

void Server::stop(zokio::Duration grace) {
  impl_->stop(grace);
}

void Server::set_ready(bool ready) {
  impl_->identities.set_ready(ready);
}

void Server::set_live(bool live) {
  impl_->identities.set_live(live);
}

void Server::set_allowed(std::vector<uint32_t> uids, std::vector<uint32_t> gids) {
  std::scoped_lock lock(impl_->mutex);
  impl_->access.uids = std::move(uids);
  impl_->access.gids = std::move(gids);
}

ServerStats Server::stats() const {
  return impl_->stats.snapshot();
}

const std::string& Server::socket_path() const {
  return impl_->options.socket_path;
}

}  // namespace zokiod::rpc
