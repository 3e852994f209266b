// SPDX-License-Identifier: Apache-2.0
#include "zokio/net/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>

#include "zokio/task/executor.h"
#include "zokio/task/wait.h"

namespace zokio::net {
namespace {

int family_number(Family family) noexcept {
  return family == Family::V4 ? AF_INET : family == Family::V6 ? AF_INET6 : AF_UNSPEC;
}

Error resolver_error(int code) noexcept {
  switch (code) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
      return Error(Errc::NotFound, "resolve");
    case EAI_MEMORY:
      return Error(Errc::ResourceExhausted, "resolve");
    case EAI_SYSTEM:
      return Error::from_errno(errno, "resolve");
    default:
      return Error(Errc::Unavailable, "resolve");
  }
}

// Blocks.
Result<std::vector<Address>> look_up(const std::string& host, uint16_t port, Family family) {
  addrinfo hints{};
  hints.ai_family = family_number(family);
  hints.ai_socktype = SOCK_STREAM;  // one entry for each address, not one for each protocol
  addrinfo* list = nullptr;
  const std::string service = std::to_string(port);
  const int code = getaddrinfo(host.c_str(), service.c_str(), &hints, &list);
  if (code != 0) return fail(resolver_error(code));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(list, &freeaddrinfo);
  std::vector<Address> out;
  for (const addrinfo* item = list; item != nullptr; item = item->ai_next) {
    if (item->ai_addrlen > sizeof(sockaddr_storage)) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, item->ai_addr, item->ai_addrlen);
    auto address = Address::from_sockaddr(storage);
    if (address.has_value() && std::ranges::find(out, *address) == out.end()) {
      out.push_back(*address);
    }
  }
  if (out.empty()) return fail(Errc::NotFound, "resolve");
  return out;
}

// Shared by the task that waits and the thread that looks up; the task may go first.
struct Lookup : task::OffloadJob {
  std::string host;
  uint16_t port = 0;
  Family family = Family::Any;
  std::shared_ptr<Lookup> self;  // the pool's share, from offload to the end

  std::mutex mutex;
  // Guarded by mutex: who waits; null when nobody does any more.
  task::Header* waiter = nullptr;
  // Guarded by mutex.
  Result<std::vector<Address>> result = fail(Errc::Cancelled, "resolve");

  static void run_it(OffloadJob* job) noexcept {
    const std::shared_ptr<Lookup> lookup = std::move(static_cast<Lookup*>(job)->self);
    auto found = look_up(lookup->host, lookup->port, lookup->family);
    if (task::Header* waiting = lookup->take_waiter(&found)) task::wake(waiting);
  }
  // Whoever takes it wakes it.
  task::Header* take_waiter(Result<std::vector<Address>>* found) {
    std::scoped_lock lock(mutex);
    if (waiter != nullptr && found != nullptr) result = std::move(*found);
    return std::exchange(waiter, nullptr);
  }
};

class [[nodiscard]] LookupWait : task::Wait {
 public:
  explicit LookupWait(std::shared_ptr<Lookup> lookup) noexcept
      : Wait(&kOps), lookup_(std::move(lookup)) {}

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> h) noexcept {
    task::Header* self = task::suspend_current(h);
    lookup_->waiter = self;
    lookup_->run = &Lookup::run_it;
    return task::begin_wait(self, this, [this, self]() noexcept {
      lookup_->self = lookup_;
      if (task::executor_of(self)->offload(lookup_.get())) return true;
      lookup_->self.reset();
      lookup_->result = fail(Errc::Unavailable, "resolve", Detail::Shutdown);
      return false;
    });
  }
  Result<std::vector<Address>> await_resume() {
    task::end_wait(task::current_task());
    std::scoped_lock lock(lookup_->mutex);
    return std::move(lookup_->result);
  }

 private:
  static void interrupt(Wait* base) noexcept {
    Lookup& lookup = *static_cast<LookupWait*>(base)->lookup_;
    if (task::Header* waiting = lookup.take_waiter(nullptr)) task::wake(waiting);
  }
  static constexpr task::WaitOps kOps{&interrupt, "resolve"};

  std::shared_ptr<Lookup> lookup_;
};

// "127.0.0.1", "::1": nothing to look up.
Result<Address> in_digits(const std::string& host, uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return Address::parse((v6 ? "[" + host + "]" : host) + ":" + std::to_string(port));
}

}  // namespace

Task<Result<std::vector<Address>>> resolve(std::string host, uint16_t port, Family family) {
  if (host.empty() || host.find('\0') != std::string::npos) {
    co_return fail(Errc::InvalidArgument, "resolve");
  }
  if (auto address = in_digits(host, port)) {
    if (family != Family::Any && address->is_v6() != (family == Family::V6)) {
      co_return fail(Errc::NotFound, "resolve");
    }
    co_return std::vector<Address>{*address};
  }
  auto lookup = std::make_shared<Lookup>();
  lookup->host = std::move(host);
  lookup->port = port;
  lookup->family = family;
  co_return co_await LookupWait(std::move(lookup));
}

}  // namespace zokio::net
