// SPDX-License-Identifier: Apache-2.0
// tcp.proxy: passes connections on to another address, until it is told to stop.
//
// The target is resolved anew for each connection, and what it resolves to is held against the
// policy each time: a name that changes does not lead elsewhere.

#include <fmt/format.h>

#include <charconv>

#include "kinds/catalog.h"
#include "kinds/tcp_service.h"
#include "model/address_rules.h"
#include "zokio/net/resolve.h"
#include "zokio/timeout.h"
#include "zokio/when_all.h"

namespace zokiod::kinds {
namespace {

using model::TcpProxySpec;
using zokio::Errc;
using zokio::Result;
using zokio::Task;
using zokio::net::Address;
using zokio::net::TcpStream;

constexpr zokio::Duration kConnectDefault = std::chrono::seconds(10);

const TcpProxySpec& spec_of(const model::JobSpec& spec) {
  return std::get<TcpProxySpec>(spec.work);
}

struct Target {
  std::string host;
  uint16_t port = 0;
};

// "host:80", "127.0.0.1:80", "[::1]:80".
std::optional<Target> parse_target(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  Target out{std::string(text.substr(0, colon)), 0};
  if (out.host.front() == '[' && out.host.back() == ']')
    out.host = out.host.substr(1, out.host.size() - 2);
  else if (out.host.find(':') != std::string::npos)
    return std::nullopt;
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (error != std::errc{} || end != digits.data() + digits.size() || out.port == 0 ||
      out.host.empty() || out.host.size() > 253)
    return std::nullopt;
  return out;
}

void validate(const model::JobSpec& job, Violations& out) {
  const TcpProxySpec& spec = spec_of(job);
  check_listen(spec.listen, "spec.tcp_proxy.listen", out);
  if (spec.target.empty())
    out.push_back({"spec.tcp_proxy.target", "is missing"});
  else if (!parse_target(spec.target))
    out.push_back({"spec.tcp_proxy.target", fmt::format("\"{}\" is not HOST:PORT", spec.target)});
  check_span(spec.idle_timeout, "spec.tcp_proxy.idle_timeout", out);
  check_span(spec.drain_timeout, "spec.tcp_proxy.drain_timeout", out);
  check_span(spec.connect_timeout, "spec.tcp_proxy.connect_timeout", out);
}

bool allowed(const Policy& policy) {
  return !policy.listen.empty() && !policy.connect.empty();
}

// A numeric target now, a name when it is known what it means.
model::Reported<> authorize(const model::JobSpec& job, const Policy& policy) {
  if (auto ok = authorize_listen(spec_of(job).listen, policy); !ok) return ok;
  if (const auto target = Address::parse(spec_of(job).target))
    return model::authorize_address(*target, policy.connect, "policy.connect");
  return {};
}

Task<Result<TcpStream>> connect_to(JobContext* context, Target target) {
  ZOKIO_CO_TRY(std::vector<Address> found, co_await zokio::net::resolve(target.host, target.port));
  std::vector<Address> allowed;
  for (const Address& address : found)
    if (model::address_allowed(address, context->policy().connect)) allowed.push_back(address);
  if (allowed.empty()) {
    const auto refused =
        model::authorize_address(found.front(), context->policy().connect, "policy.connect");
    context->write_log(fmt::format("{}: {}\n", target.host, refused.error().message));
    co_return zokio::fail(Errc::PermissionDenied, "connect");
  }
  co_return co_await TcpStream::connect_any(std::move(allowed));
}

Task<Result<void>> pass_on(TcpService* service, TcpStream* client) {
  const TcpProxySpec& spec = spec_of(service->context.job().spec);
  const zokio::Duration patience =
      spec.connect_timeout.count() ? spec.connect_timeout : kConnectDefault;
  Result<TcpStream> server = co_await zokio::with_timeout(
      connect_to(&service->context, *parse_target(spec.target)), patience);
  if (!server) {
    service->context.write_log(
        fmt::format("connect to {}: {}\n", spec.target, server.error().to_string()));
    co_return zokio::fail(server.error());
  }
  std::atomic<int64_t> last{zokio::Instant::now().ns};
  const auto [there, back] = co_await zokio::when_all(pump(service, client, &*server, &last),
                                                      pump(service, &*server, client, &last));
  if (!there && there.error().code != Errc::Cancelled) co_return zokio::fail(there.error());
  co_return back;
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const TcpProxySpec& spec = spec_of(context.job().spec);
  co_return co_await run_tcp_service(
      context, {spec.listen, spec.connections_max, spec.idle_timeout, spec.drain_timeout},
      &pass_on);
}

}  // namespace

const KindInfo kTcpProxy = {.name = TcpProxySpec::kKind,
                            .summary = "a service that passes connections on to another address",
                            .allowed = allowed,
                            .validate = validate,
                            .authorize = authorize,
                            .run = run};

}  // namespace zokiod::kinds
