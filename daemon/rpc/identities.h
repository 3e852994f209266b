// SPDX-License-Identifier: Apache-2.0
#pragma once

// One gRPC server for each identity (uid, gid) that connects, and one that denies everything.
//
// gRPC 1.51 names a connection that it was handed "fd:12" and nothing else, and numbers of
// descriptors come back: a call that was read from a connection just closed could be taken for one
// of the connection that has the number next. A server of its own for each identity makes the
// mistake impossible: its services are built for one Principal. The price is about 32 KiB and one
// idle thread for each user that ever connected, at most kIdentitiesMax of them.
// Thread: any; serve() is the acceptor's.

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "model/job.h"
#include "rpc/server.h"

namespace zokiod::rpc {

inline constexpr size_t kIdentitiesMax = 64;

class Identities {
 public:
  // All outlive this.
  Identities(const ServerOptions& options, const Dependencies& dependencies, CallStats& stats);
  ~Identities();  // after stop()

  // Hands the connection to the server of `principal`, which is made when it is the first. False
  // when there are too many; the connection is closed.
  bool serve(int fd, const model::Principal& principal);
  // Hands it to the server that answers every call with PERMISSION_DENIED.
  void deny(int fd);

  void set_ready(bool ready);
  void set_live(bool live);
  // Ends every call, by force after `grace`, and waits for their end. Idempotent.
  void stop(std::chrono::nanoseconds grace);

 private:
  class Endpoint;
  class DeniedEndpoint;
  void tell_health(Endpoint& endpoint) const;  // requires mutex_

  const ServerOptions& options_;
  const Dependencies& dependencies_;
  CallStats& stats_;
  std::mutex mutex_;
  // Guarded by mutex_.
  std::map<std::pair<uint32_t, uint32_t>, std::unique_ptr<Endpoint>> endpoints_;
  std::unique_ptr<DeniedEndpoint> denied_;
  bool ready_ = true;
  bool live_ = true;
  bool stopped_ = false;
};

}  // namespace zokiod::rpc
