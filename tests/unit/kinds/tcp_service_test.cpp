// SPDX-License-Identifier: Apache-2.0
// tcp.echo and tcp.proxy: bytes come through, limits hold, a stop drains and then cuts; and the
// rules for addresses.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <fmt/format.h>

#include "kind_fixture.h"
#include "model/address_rules.h"

namespace zokiod::kinds {
namespace {

using model::TcpEchoSpec;
using model::TcpProxySpec;
using testing::HasSubstr;
using zokio::net::Address;

// A plain blocking client, so that what is tested is not tested with itself.
class Client {
 public:
  explicit Client(const std::string& address) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const Address to = *Address::parse(address);
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(::connect(fd_, to.data(), to.size()), 0) << std::strerror(errno);
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  void send(const std::string& text) const {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  void end() const { ::shutdown(fd_, SHUT_WR); }
  std::string receive(size_t size) const {
    std::string out(size, '\0');
    size_t got = 0;
    while (got < size) {
      const ssize_t n = read(out.data() + got, size - got);
      if (n <= 0) break;
      got += static_cast<size_t>(n);
    }
    out.resize(got);
    return out;
  }
  // Whether the other side ended or reset it.
  bool ended() const {
    char byte;
    const ssize_t n = read(&byte, 1);
    return n == 0 || (n < 0 && errno == ECONNRESET);
  }

 private:
  // A ring of the runtime that this thread made may interrupt it.
  ssize_t read(char* to, size_t size) const {
    while (true) {
      const ssize_t n = ::recv(fd_, to, size, 0);
      if (n >= 0 || errno != EINTR) return n;
    }
  }
  int fd_;
};

class TcpServiceTest : public KindTest {
 protected:
  Policy policy() const {
    Policy out = KindTest::policy();
    out.listen = {"127.0.0.0/8"};
    out.connect = {"127.0.0.1"};
    return out;
  }
  // A service that runs until stop().
  struct Service {
    Service(zokio::Runtime& runtime, Policy policy, model::Work work)
        : runtime_(runtime), context(runtime, std::move(policy), std::move(work)) {
      handle = runtime.spawn(&run_kind, &context);
      EXPECT_TRUE(zokio::test::eventually(
          [&] { return handle.finished() || context.log().starts_with("ready on "); }));
      const std::string log = context.log();
      if (log.starts_with("ready on ")) address = log.substr(9, log.find('\n') - 9);
    }
    ~Service() { stop(); }
    model::Reported<Finished>& stop() {
      if (!stopped) {
        handle.cancel();
        static_cast<void>(runtime_.block_on(&joined, &handle));
      }
      stopped = true;
      return context.result;
    }
    bool says(const std::string& words) {
      return zokio::test::eventually(
          [&] { return context.last_note().find(words) != std::string::npos; });
    }
    zokio::Runtime& runtime_;
    FakeContext context;
    zokio::JoinHandle<void> handle;
    std::string address;
    bool stopped = false;
  };
};

TEST_P(TcpServiceTest, EchoSendsBackAndCounts) {
  Service echo(*runtime_, policy(), TcpEchoSpec{"127.0.0.1:0", 0, {}, {}});
  const std::string content = noise(300'000);
  {
    Client a(echo.address), b(echo.address);
    EXPECT_TRUE(echo.says("2 open, 2 accepted, 0 refused, 0 failed"));
    a.send("hello");
    EXPECT_EQ(a.receive(5), "hello");
    std::jthread sender([&] { b.send(content), b.end(); });
    EXPECT_TRUE(b.receive(content.size()) == content);
    EXPECT_TRUE(b.ended());
  }
  EXPECT_TRUE(echo.says("0 open, 2 accepted, 0 refused, 0 failed"));
  EXPECT_EQ(echo.context.most_done, 300'005u);
  EXPECT_EQ(echo.stop().error().error.code, Errc::Cancelled);
  EXPECT_THAT(echo.context.log(),
              HasSubstr("stopped: 2 accepted, 0 refused, 0 failed, 0 cut, 300005 bytes\n"));
}

TEST_P(TcpServiceTest, ProxyPassesOnBothWaysAndTheEnds) {
  Service echo(*runtime_, policy(), TcpEchoSpec{"127.0.0.1:0", 0, {}, {}});
  Service proxy(*runtime_, policy(),
                TcpProxySpec{"127.0.0.1:0", echo.address, 0, seconds(30), {}, {}});
  Client client(proxy.address);
  const std::string content = noise(300'000);
  std::jthread sender([&] { client.send(content), client.end(); });
  EXPECT_TRUE(client.receive(content.size()) == content);
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(proxy.says("0 open, 1 accepted, 0 refused, 0 failed"));
  EXPECT_EQ(proxy.context.most_done, 600'000u);
}

TEST_P(TcpServiceTest, ConnectionsAboveTheLimitAreRefused) {
  Service echo(*runtime_, policy(), TcpEchoSpec{"127.0.0.1:0", 2, {}, {}});
  {
    Client a(echo.address), b(echo.address);
    EXPECT_TRUE(echo.says("2 open"));
    Client c(echo.address);
    EXPECT_TRUE(c.ended());
    a.send("x");
    EXPECT_EQ(a.receive(1), "x") << "the others go on";
  }
  EXPECT_TRUE(echo.says("0 open, 2 accepted, 1 refused"));
  Client d(echo.address);
  d.send("y");
  EXPECT_EQ(d.receive(1), "y");
}

TEST_P(TcpServiceTest, AnIdleConnectionIsCut) {
  Service echo(*runtime_, policy(), TcpEchoSpec{"127.0.0.1:0", 0, milliseconds(50), {}});
  Client client(echo.address);
  client.send("x");
  EXPECT_EQ(client.receive(1), "x");
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(echo.says("0 open, 1 accepted, 0 refused, 1 failed"));
}

TEST_P(TcpServiceTest, AStopDrainsAndThenCuts) {
  {
    Service echo(*runtime_, policy(), TcpEchoSpec{"127.0.0.1:0", 0, {}, seconds(30)});
    Client client(echo.address);
    EXPECT_TRUE(echo.says("1 open"));
    echo.handle.cancel();
    // It listens no more, and what is open goes on.
    EXPECT_TRUE(zokio::test::eventually([&] {
      const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
      const Address to = *Address::parse(echo.address);
      const bool refused = ::connect(fd, to.data(), to.size()) != 0;
      ::close(fd);
      return refused;
    }));
    client.send("late");
    EXPECT_EQ(client.receive(4), "late");
    EXPECT_FALSE(echo.handle.finished());
    client.end();
    EXPECT_EQ(echo.stop().error().error.code, Errc::Cancelled);
    EXPECT_THAT(echo.context.log(), HasSubstr(" 0 cut, "));
  }
  Service echo(*runtime_, policy(), TcpEchoSpec{"127.0.0.1:0", 0, {}, milliseconds(20)});
  Client client(echo.address);
  EXPECT_TRUE(echo.says("1 open"));
  EXPECT_EQ(echo.stop().error().error.code, Errc::Cancelled);
  EXPECT_TRUE(client.ended());
  EXPECT_THAT(echo.context.log(), HasSubstr(" 1 cut, "));
}

TEST_P(TcpServiceTest, ATargetThatCannotBeReachedEndsTheConnectionOnly) {
  // A port that nobody listens on: taken once, and free again.
  std::string dead;
  {
    Service gone(*runtime_, policy(), TcpEchoSpec{"127.0.0.1:0", 0, {}, {}});
    dead = gone.address;
  }
  Service proxy(*runtime_, policy(), TcpProxySpec{"127.0.0.1:0", dead, 0, {}, {}, {}});
  Client client(proxy.address);
  EXPECT_TRUE(client.ended());
  EXPECT_TRUE(proxy.says("0 open, 1 accepted, 0 refused, 1 failed"));
  EXPECT_THAT(proxy.context.log(), HasSubstr("connect to " + dead + ": "));
  // A name is held against the policy when it is resolved.
  Policy strict = policy();
  strict.connect = {"public"};
  Service other(*runtime_, strict, TcpProxySpec{"127.0.0.1:0", "localhost:9", 0, {}, {}, {}});
  Client second(other.address);
  EXPECT_TRUE(second.ended());
  EXPECT_TRUE(other.says("1 failed"));
  EXPECT_THAT(other.context.log(), HasSubstr("localhost: "));
  EXPECT_THAT(other.context.log(), HasSubstr("is in none of policy.connect: public"));
}

TEST_P(TcpServiceTest, RefusedBeforeItRuns) {
  using V = Violations;
  EXPECT_EQ(violations(TcpEchoSpec{"", 0, {}, {}}), (V{{"spec.tcp_echo.listen", "is missing"}}));
  EXPECT_EQ(
      violations(TcpEchoSpec{"localhost:80", 0, seconds(-1), std::chrono::hours(25)}),
      (V{{"spec.tcp_echo.listen", "\"localhost:80\" is not ADDRESS:PORT with a numeric address"},
         {"spec.tcp_echo.idle_timeout", "not between 0 and 24 hours"},
         {"spec.tcp_echo.drain_timeout", "not between 0 and 24 hours"}}));
  for (const char* bad : {"host", "host:", ":80", "host:0", "host:65536", "::1:80", "host:8x"})
    EXPECT_EQ(violations(TcpProxySpec{"127.0.0.1:0", bad, 0, {}, {}, {}}),
              (V{{"spec.tcp_proxy.target", fmt::format("\"{}\" is not HOST:PORT", bad)}}));
  EXPECT_REPORT(authorized(TcpEchoSpec{"0.0.0.0:80", 0, {}, {}}, policy()), Errc::PermissionDenied,
                "ADDRESS_NOT_ALLOWED", "0.0.0.0:80 is in none of policy.listen: 127.0.0.0/8");
  EXPECT_REPORT(authorized(TcpEchoSpec{"127.0.0.1:0", 0, {}, {}}, KindTest::policy()),
                Errc::PermissionDenied, "ADDRESS_NOT_ALLOWED",
                "127.0.0.1:0 is not allowed: policy.listen is empty");
  EXPECT_REPORT(
      authorized(TcpProxySpec{"127.0.0.1:0", "169.254.169.254:80", 0, {}, {}, {}}, policy()),
      Errc::PermissionDenied, "ADDRESS_NOT_ALLOWED",
      "169.254.169.254:80 is in none of policy.connect: 127.0.0.1");
  Service taken(*runtime_, policy(), TcpEchoSpec{"127.0.0.1:0", 0, {}, {}});
  FakeContext second(*runtime_, policy(), TcpEchoSpec{taken.address, 0, {}, {}});
  const auto done = run(second);
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().message, HasSubstr("listen on " + taken.address + ": "));
  EXPECT_THAT(done.error().message, HasSubstr("EADDRINUSE"));
}

TEST(AddressPolicy, Rules) {
  for (const char* good : {"public", "10.0.0.0/8", "127.0.0.1", "::1", "fd00::/8", "0.0.0.0/0"})
    EXPECT_TRUE(model::is_address_rule(good)) << good;
  for (const char* bad : {"", "private", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/x", "a.b"})
    EXPECT_FALSE(model::is_address_rule(bad)) << bad;
  const auto in = [](const char* address, std::vector<std::string> rules) {
    return model::address_allowed(*Address::parse(address), rules);
  };
  EXPECT_TRUE(in("10.1.2.3:1", {"10.0.0.0/8"}));
  EXPECT_FALSE(in("11.1.2.3:1", {"10.0.0.0/8"}));
  EXPECT_TRUE(in("10.127.0.1:1", {"10.64.0.0/10"}));
  EXPECT_FALSE(in("10.128.0.1:1", {"10.64.0.0/10"}));
  EXPECT_TRUE(in("[fd00::1]:1", {"192.0.2.1", "fd00::/8"}));
  EXPECT_FALSE(in("127.0.0.1:1", {}));
  EXPECT_FALSE(in("[::1]:1", {"0.0.0.0/0"})) << "an IPv4 network has no IPv6 address";
  EXPECT_TRUE(in("[::ffff:10.1.2.3]:1", {"10.0.0.0/8"})) << "mapped";
  EXPECT_TRUE(in("[64:ff9b::a01:203]:1", {"10.0.0.0/8"})) << "NAT64";
  for (const char* open : {"8.8.8.8:1", "[2a00:1450::1]:1", "[::ffff:8.8.8.8]:1"})
    EXPECT_TRUE(in(open, {"public"})) << open;
  for (const char* special :
       {"127.0.0.1:1", "10.0.0.1:1", "172.31.0.1:1", "192.168.1.1:1", "169.254.169.254:1",
        "100.64.0.1:1", "0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1", "[::1]:1", "[::]:1",
        "[fe80::1]:1", "[fd00::1]:1", "[ff02::1]:1", "[::ffff:127.0.0.1]:1", "[64:ff9b::7f00:1]:1",
        "[2001:db8::1]:1", "[2002:7f00:1::]:1", "[::127.0.0.1]:1"})
    EXPECT_FALSE(in(special, {"public"})) << special;
}

KIND_MATRIX(TcpServiceTest);

}  // namespace
}  // namespace zokiod::kinds
