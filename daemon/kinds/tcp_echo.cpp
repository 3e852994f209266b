// SPDX-License-Identifier: Apache-2.0
// tcp.echo: sends back what it receives, until it is told to stop.

#include <fmt/format.h>

#include "kinds/catalog.h"
#include "kinds/tcp_service.h"

namespace zokiod::kinds {
namespace {

using model::TcpEchoSpec;
using zokio::Result;
using zokio::Task;

const TcpEchoSpec& spec_of(const model::JobSpec& spec) {
  return std::get<TcpEchoSpec>(spec.work);
}

void validate(const model::JobSpec& job, Violations& out) {
  const TcpEchoSpec& spec = spec_of(job);
  check_listen(spec.listen, "spec.tcp_echo.listen", out);
  check_span(spec.idle_timeout, "spec.tcp_echo.idle_timeout", out);
  check_span(spec.drain_timeout, "spec.tcp_echo.drain_timeout", out);
}

bool allowed(const Policy& policy) {
  return !policy.listen.empty();
}

model::Reported<> authorize(const model::JobSpec& job, const Policy& policy) {
  return authorize_listen(spec_of(job).listen, policy);
}

Task<Result<void>> echo(TcpService* service, zokio::net::TcpStream* stream) {
  std::atomic<int64_t> last{0};
  co_return co_await pump(service, stream, stream, &last);
}

Task<model::Reported<Finished>> run(JobContext& context) {
  const TcpEchoSpec& spec = spec_of(context.job().spec);
  co_return co_await run_tcp_service(
      context, {spec.listen, spec.connections_max, spec.idle_timeout, spec.drain_timeout}, &echo);
}

}  // namespace

const KindInfo kTcpEcho = {.name = TcpEchoSpec::kKind,
                           .summary = "a service that sends back what it receives",
                           .allowed = allowed,
                           .validate = validate,
                           .authorize = authorize,
                           .run = run};

}  // namespace zokiod::kinds
