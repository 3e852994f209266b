// SPDX-License-Identifier: Apache-2.0
// The HTTP port on cpp-httplib: a few threads, short timeouts, one handler for each path.

#include "http/server.h"

#include <httplib.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <utility>

#include "http/status_page.h"
#include "zokio/base/assert.h"

namespace zokiod::http {
namespace {

// A probe, a scraper and a few browser tabs; each kept-alive connection holds a thread.
constexpr size_t kThreads = 8;
// An idle connection gives its thread back after this; also the bound of stop().
constexpr time_t kKeepAliveSeconds = 2;
// A client that does not finish its request, or does not read its answer, is dropped.
constexpr time_t kIoSeconds = 5;
// There is no request with a body.
constexpr size_t kMaxBody = 0;

constexpr const char* kTextType = "text/plain; charset=utf-8";
constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kJsonType = "application/json";

void answer_health(const Health& health, httplib::Response& response) {
  std::string body = health.ok ? "ok\n" : "not ok\n";
  for (const std::string& reason : health.reasons) body += reason + "\n";
  response.status = health.ok ? 200 : 503;
  response.set_content(body, kTextType);
}

httplib::Server::HandlerResponse only_reads(const httplib::Request& request,
                                            httplib::Response& response) {
  if (request.method == "GET" || request.method == "HEAD") {
    return httplib::Server::HandlerResponse::Unhandled;
  }
  response.status = 405;
  response.set_header("Allow", "GET, HEAD");
  response.set_header("Connection", "close");  // its body, if any, was not read
  response.set_content("only GET and HEAD\n", kTextType);
  return httplib::Server::HandlerResponse::Handled;
}

void answer_failure(const httplib::Request&, httplib::Response& response, std::exception_ptr) {
  // A callback threw (out of memory is the only known way): say so and go on serving.
  response.status = 500;
  response.set_content("internal error\n", kTextType);
}

void limit(httplib::Server& server) {
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server.set_keep_alive_timeout(kKeepAliveSeconds);
  server.set_read_timeout(kIoSeconds);
  server.set_write_timeout(kIoSeconds);
  server.set_payload_max_length(kMaxBody);
  server.set_tcp_nodelay(true);
}

void set_headers(httplib::Server& server) {
  // The page loads its script and style from this server and talks to nothing else.
  server.set_default_headers({
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
       "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Cache-Control", "no-store"},
  });
}

}  // namespace

struct Server::Impl {
  httplib::Server server;
  Handlers handlers;
  uint16_t port = 0;
  std::atomic<bool> ended = false;  // the accept loop has returned
  std::thread thread;

  void route();
  void serve();
};

void Server::Impl::route() {
  server.set_pre_routing_handler(only_reads);
  server.set_exception_handler(answer_failure);
  server.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
    response.set_content(handlers.metrics_text(), kMetricsType);
  });
  server.Get("/api/v1/stats", [this](const httplib::Request&, httplib::Response& response) {
    response.set_content(handlers.stats_json(), kJsonType);
  });
  server.Get("/livez", [this](const httplib::Request&, httplib::Response& response) {
    answer_health(handlers.live(), response);
  });
  server.Get("/readyz", [this](const httplib::Request&, httplib::Response& response) {
    answer_health(handlers.ready(), response);
  });
  for (const PageFile& file : page_files()) {
    server.Get(file.path, [&file](const httplib::Request&, httplib::Response& response) {
      response.set_content(file.content.data(), file.content.size(), file.type);
    });
  }
}

void Server::Impl::serve() {
  server.listen_after_bind();
  ended.store(true);
}

zokio::Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options,
                                                     Handlers handlers) {
  ZOKIO_CHECK(handlers.metrics_text && handlers.stats_json && handlers.live && handlers.ready,
              "every HTTP handler must be set");
  auto impl = std::make_unique<Impl>();
  impl->handlers = std::move(handlers);
  limit(impl->server);
  set_headers(impl->server);
  impl->route();

  errno = 0;
  const int port = options.port != 0
                       ? (impl->server.bind_to_port(options.host, options.port) ? options.port : -1)
                       : impl->server.bind_to_any_port(options.host);
  if (port < 0) {
    zokio::Error error(zokio::Errc::Unavailable, "bind the HTTP port");
    error.os_errno = errno;
    return zokio::fail(error);
  }
  impl->port = static_cast<uint16_t>(port);
  impl->thread = std::thread([raw = impl.get()] { raw->serve(); });
  // stop() has no effect on a server that does not listen yet; the thread only has to reach its
  // loop.
  while (!impl->server.is_running() && !impl->ended.load()) std::this_thread::yield();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  stop();
}

void Server::stop() {
  if (!impl_->thread.joinable()) return;
  impl_->server.stop();
  impl_->thread.join();
}

uint16_t Server::port() const {
  return impl_->port;
}

}  // namespace zokiod::http
