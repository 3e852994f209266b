// SPDX-License-Identifier: Apache-2.0
#include "kinds/tcp_service.h"

#include <fmt/format.h>

#include <list>

#include "model/address_rules.h"
#include "zokio/net/socket_options.h"
#include "zokio/shield.h"
#include "zokio/spawn.h"
#include "zokio/time/sleep.h"
#include "zokio/timeout.h"

namespace zokiod::kinds {
namespace {

using zokio::Errc;
using zokio::Result;
using zokio::Task;
using zokio::net::TcpStream;

constexpr uint32_t kConnectionsDefault = 1000;
constexpr zokio::Duration kDrainDefault = std::chrono::seconds(5);
constexpr zokio::Duration kSpanMax = std::chrono::hours(24);
// One read: with a thousand connections that all have something, 64 MiB.
constexpr size_t kReadBytes = 64 * 1024;
// After an accept that failed for want of descriptors.
constexpr zokio::Duration kAcceptPause = std::chrono::milliseconds(50);

using Handles = std::list<zokio::JoinHandle<void>>;

void tell(TcpService& s) {
  s.context.note(fmt::format("ready on {}, {} open, {} accepted, {} refused, {} failed", s.address,
                             s.open.load(), s.accepted.load(), s.refused.load(), s.failed.load()));
}

// A task of its own: the stop of the job does not reach it, so that it can be drained.
Task<void> serve_one(TcpService* service, TcpHandler handler, TcpStream stream) {
  const Result<void> done = co_await handler(service, &stream);
  if (!done && done.error().code != Errc::Cancelled) service->failed.fetch_add(1);
  // No wait for what the other side does not take.
  if (!done) static_cast<void>(zokio::net::set_reset_on_close(stream.fd(), true));
  service->open.fetch_sub(1);
  tell(*service);
}

void admit(TcpService& service, TcpHandler handler, TcpStream stream, Handles& handles) {
  std::erase_if(handles, [](const auto& handle) { return handle.finished(); });
  const uint32_t most =
      service.options.connections_max ? service.options.connections_max : kConnectionsDefault;
  if (service.open.load() >= most) {
    service.refused.fetch_add(1);
    static_cast<void>(zokio::net::set_reset_on_close(stream.fd(), true));
  } else {
    service.accepted.fetch_add(1);
    service.open.fetch_add(1);
    handles.push_back(zokio::spawn(&serve_one, &service, handler, std::move(stream)));
  }
  tell(service);
}

// Until it is told to stop.
Task<Result<void>> accept_all(TcpService& service, zokio::net::TcpListener& listener,
                              TcpHandler handler, Handles& handles) {
  while (true) {
    Result<TcpStream> stream = co_await listener.accept();
    if (stream) {
      admit(service, handler, *std::move(stream), handles);
    } else if (stream.error().code == Errc::ResourceExhausted) {
      ZOKIO_CO_CHECKED(co_await zokio::sleep(kAcceptPause));
    } else if (stream.error().os_errno != ECONNABORTED) {
      co_return zokio::fail(stream.error());
    }
  }
}

Task<void> drain(TcpService& service, Handles& handles) {
  zokio::Shield shield;
  const zokio::Duration grace =
      service.options.drain.count() ? service.options.drain : kDrainDefault;
  const zokio::Instant deadline = zokio::Instant::now() + grace;
  while (service.open.load() > 0 && zokio::Instant::now() < deadline)
    static_cast<void>(co_await zokio::sleep(std::chrono::milliseconds(2)));
  const uint64_t cut = service.open.load();
  for (auto& handle : handles) handle.cancel();
  for (auto& handle : handles) static_cast<void>(co_await handle);
  service.context.write_log(fmt::format(
      "stopped: {} accepted, {} refused, {} failed, {} cut, {} bytes\n", service.accepted.load(),
      service.refused.load(), service.failed.load(), cut, service.bytes.load()));
}

}  // namespace

Task<model::Reported<Finished>> run_tcp_service(JobContext& context, TcpServiceOptions options,
                                                TcpHandler handler) {
  TcpService service(context, std::move(options));
  const std::string& where = service.options.listen;
  auto listener = zokio::net::TcpListener::bind(*zokio::net::Address::parse(where));
  if (!listener)
    co_return model::refuse(model::make_report(listener.error(), "listen on " + where));
  const auto local = listener->local_address();
  service.address = local ? local->to_string() : where;
  context.write_log(fmt::format("ready on {}\n", service.address));
  tell(service);
  Handles handles;
  const Result<void> ended = co_await accept_all(service, *listener, handler, handles);
  {
    zokio::Shield shield;
    static_cast<void>(co_await listener->close());
  }
  co_await drain(service, handles);
  co_return model::refuse(model::make_report(ended.error(), "accept on " + service.address));
}

Task<Result<void>> pump(TcpService* service, TcpStream* from, TcpStream* to,
                        std::atomic<int64_t>* last) {
  const zokio::Duration idle = service->options.idle;
  while (true) {
    Result<zokio::mem::Buffer> block =
        idle.count() ? co_await zokio::with_timeout(from->receive(kReadBytes), idle)
                     : co_await from->receive(kReadBytes);
    if (!block && block.error().code == Errc::DeadlineExceeded &&
        zokio::Instant::now().ns - last->load() < idle.count())
      continue;  // the other direction is in use
    ZOKIO_CO_CHECKED(block);
    if (block->size() == 0) co_return to->shutdown_write();
    const size_t n = block->size();
    zokio::IoResult sent = co_await to->write_all(*std::move(block));
    if (!sent.n) co_return zokio::fail(sent.n.error());
    last->store(zokio::Instant::now().ns);
    service->moved(n);
  }
}

void check_listen(std::string_view text, std::string field, Violations& out) {
  if (text.empty())
    out.push_back({std::move(field), "is missing"});
  else if (!zokio::net::Address::parse(text))
    out.push_back(
        {std::move(field), fmt::format("\"{}\" is not ADDRESS:PORT with a numeric address", text)});
}

void check_span(zokio::Duration span, std::string field, Violations& out) {
  if (span.count() < 0 || span > kSpanMax)
    out.push_back({std::move(field), "not between 0 and 24 hours"});
}

model::Reported<> authorize_listen(const std::string& listen, const Policy& policy) {
  return model::authorize_address(*zokio::net::Address::parse(listen), policy.listen,
                                  "policy.listen");
}

}  // namespace zokiod::kinds
