// SPDX-License-Identifier: Apache-2.0
// The HTTP port as a client sees it.

#include "http/server.h"

#include <gmock/gmock.h>
#include <httplib.h>

#include <atomic>
#include <thread>

namespace zokiod::http {
namespace {

using testing::HasSubstr;

class HttpServer : public testing::Test {
 protected:
  void SetUp() override {
    auto started = Server::start({.host = "127.0.0.1", .port = 0},
                                 {.metrics_text =
                                      [this] {
                                        ++scrapes_;
                                        return std::string("zokio_up 1\n");
                                      },
                                  .stats_json = [] { return std::string("{\"schema\":1}"); },
                                  .live = [this] { return live_; },
                                  .ready = [this] { return ready_; }});
    ASSERT_TRUE(started.has_value()) << started.error().to_string();
    server_ = std::move(*started);
  }
  httplib::Client client() {
    httplib::Client client("127.0.0.1", server_->port());
    client.set_read_timeout(30);
    client.set_connection_timeout(30);
    return client;
  }

  Health live_;
  Health ready_;
  std::atomic<int> scrapes_ = 0;
  std::unique_ptr<Server> server_;
};

TEST_F(HttpServer, ServesMetricsWithTheirContentType) {
  const auto answer = client().Get("/metrics");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "zokio_up 1\n");
  EXPECT_EQ(answer->get_header_value("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
}

TEST_F(HttpServer, HeadHasNoBody) {
  const auto answer = client().Head("/metrics");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "");
}

TEST_F(HttpServer, ServesStatsAsJson) {
  const auto answer = client().Get("/api/v1/stats");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "{\"schema\":1}");
  EXPECT_EQ(answer->get_header_value("Content-Type"), "application/json");
}

TEST_F(HttpServer, HealthGivesEveryReason) {
  EXPECT_EQ(client().Get("/readyz")->status, 200);
  ready_ = {.ok = false, .reasons = {"draining: asked for", "journal: disk full"}};
  const auto answer = client().Get("/readyz");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  EXPECT_THAT(answer->body, HasSubstr("draining: asked for\njournal: disk full\n"));
  EXPECT_EQ(client().Get("/livez")->status, 200) << "ready and live are two questions";
  live_ = {.ok = false, .reasons = {"worker 1 has not moved for 9 s"}};
  EXPECT_EQ(client().Get("/livez")->status, 503);
}

TEST_F(HttpServer, OnlyReads) {
  auto http = client();
  for (const auto& answer :
       {http.Post("/metrics", "x", "text/plain"), http.Put("/readyz", "x", "a/b"),
        http.Delete("/api/v1/stats"), http.Options("/"), http.Patch("/", "x", "a/b")}) {
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 405);
    EXPECT_EQ(answer->get_header_value("Allow"), "GET, HEAD");
  }
  EXPECT_EQ(scrapes_.load(), 0);
}

TEST_F(HttpServer, UnknownPathIsNotFound) {
  EXPECT_EQ(client().Get("/../etc/passwd")->status, 404);
  EXPECT_EQ(client().Get("/metricsx")->status, 404);
}

TEST_F(HttpServer, PageNeedsNothingFromElsewhere) {
  const auto page = client().Get("/");
  ASSERT_TRUE(page);
  EXPECT_THAT(
      page->get_header_value("Content-Security-Policy"),
      testing::AllOf(HasSubstr("default-src 'none'"), HasSubstr("script-src 'self'"),
                     HasSubstr("frame-ancestors 'none'"), testing::Not(HasSubstr("unsafe"))));
  EXPECT_EQ(page->get_header_value("X-Content-Type-Options"), "nosniff");
  for (const char* path : {"/", "/status.css", "/status.js"}) {
    const auto file = client().Get(path);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->status, 200) << path;
    EXPECT_GT(file->body.size(), 500u) << path;
    EXPECT_THAT(file->body, testing::Not(HasSubstr("http:/"
                                                   "/")))
        << path;
    EXPECT_THAT(file->body, testing::Not(HasSubstr("https:/"
                                                   "/")))
        << path;
    EXPECT_THAT(file->body, testing::Not(HasSubstr("innerHTML"))) << path;
  }
}

TEST_F(HttpServer, ServesManyClientsAtATime) {
  constexpr int kClients = 16;
  constexpr int kRequests = 20;
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([this, &good] {
      for (int n = 0; n < kRequests; ++n) {
        const auto answer = client().Get("/metrics");
        good += answer && answer->status == 200;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good.load(), kClients * kRequests);
}

TEST_F(HttpServer, StopFreesThePort) {
  const uint16_t port = server_->port();
  server_->stop();
  server_->stop();
  EXPECT_FALSE(client().Get("/metrics"));
  const auto again = Server::start({.host = "127.0.0.1", .port = port},
                                   {.metrics_text = [] { return std::string(); },
                                    .stats_json = [] { return std::string(); },
                                    .live = [] { return Health{}; },
                                    .ready = [] { return Health{}; }});
  EXPECT_TRUE(again.has_value());
}

TEST_F(HttpServer, ForeignAddressIsAnError) {
  const auto failed =
      Server::start({.host = "192.0.2.1", .port = 0}, {.metrics_text = [] { return std::string(); },
                                                       .stats_json = [] { return std::string(); },
                                                       .live = [] { return Health{}; },
                                                       .ready = [] { return Health{}; }});
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, zokio::Errc::Unavailable);
}

TEST_F(HttpServer, CallbackThatThrowsIsAnswered) {
  auto failing = Server::start({.host = "127.0.0.1", .port = 0},
                               {.metrics_text = []() -> std::string { throw std::bad_alloc(); },
                                .stats_json = [] { return std::string(); },
                                .live = [] { return Health{}; },
                                .ready = [] { return Health{}; }});
  ASSERT_TRUE(failing.has_value());
  httplib::Client http("127.0.0.1", (*failing)->port());
  EXPECT_EQ(http.Get("/metrics")->status, 500);
  EXPECT_EQ(http.Get("/livez")->status, 200);
}

}  // namespace
}  // namespace zokiod::http
