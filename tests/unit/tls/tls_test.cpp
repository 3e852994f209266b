// SPDX-License-Identifier: Apache-2.0

// TLS over loopback on both backends: whom a client trusts, what both agree on, large transfers,
// an end that nobody announced, and cancels anywhere.

#include "zokio/tls/tls_stream.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <string>

#include "../io/ops_fixture.h"
#include "temp_dir.h"
#include "zokio/io/buffered.h"
#include "zokio/net/tcp_listener.h"

namespace zokio::tls {
namespace {

static_assert(io::AsyncRead<TlsStream> && io::AsyncWrite<TlsStream>);

// A certificate that signs itself, for these names ("DNS:a.test,IP:127.0.0.1").
void make_certificate(const std::string& base, const char* names) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(certificate, key, EVP_sha256());
  std::FILE* out = std::fopen((base + ".crt").c_str(), "w");
  PEM_write_X509(out, certificate);
  std::fclose(out);
  out = std::fopen((base + ".key").c_str(), "w");
  PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

class TlsTest : public test::BufferTest {
 protected:
  void SetUp() override {
    make_certificate(dir_ / "a", "DNS:a.test,IP:127.0.0.1");
    make_certificate(dir_ / "b", "DNS:b.test");
    auto server = TlsContext::server({.certificate_file = dir_ / "a.crt",
                                      .key_file = dir_ / "a.key",
                                      .alpn = {"h2", "http/1.1"},
                                      .client_ca_file = {}});
    ASSERT_TRUE(server.has_value()) << server.error().to_string();
    server_ = *std::move(server);
    auto client = TlsContext::client({.ca_file = dir_ / "a.crt", .alpn = {"http/1.1"}});
    ASSERT_TRUE(client.has_value()) << client.error().to_string();
    client_ = *std::move(client);
    test::BufferTest::SetUp();
  }

  test::TempDir dir_;
  TlsContext server_;
  TlsContext client_;
};

struct Pair {
  TlsStream client;
  TlsStream server;
};

// Both sides at once; the client's error first.
Task<Result<Pair>> make_pair(TlsContext client, TlsContext server, std::string host) {
  ZOKIO_CO_TRY(auto listener, net::TcpListener::bind(net::Address::loopback(0)));
  ZOKIO_CO_TRY(const auto address, listener.local_address());
  ZOKIO_CO_TRY(auto tcp, co_await net::TcpStream::connect(address));
  ZOKIO_CO_TRY(auto accepted, co_await listener.accept());
  auto [one, two] = co_await when_all(TlsStream::connect(std::move(tcp), client, host),
                                      TlsStream::accept(std::move(accepted), server));
  if (!one.has_value()) co_return fail(one.error());
  if (!two.has_value()) co_return fail(two.error());
  co_return Pair{.client = *std::move(one), .server = *std::move(two)};
}

Task<void> trust(TlsContext client, TlsContext server, std::string other_ca) {
  auto good = co_await make_pair(client, server, "a.test");
  CO_ASSERT_OK(good);
  EXPECT_EQ(good->client.version(), "TLSv1.3");
  EXPECT_EQ(good->client.protocol(), "http/1.1");
  EXPECT_EQ(good->server.protocol(), "http/1.1");
  auto address = co_await make_pair(client, server, "127.0.0.1");
  CO_ASSERT_OK(address);
  for (const char* name : {"b.test", "127.0.0.2", "x.a.test"}) {
    auto wrong = co_await make_pair(client, server, name);
    CO_ASSERT(!wrong.has_value());
    EXPECT_EQ(wrong.error().code, Errc::PermissionDenied) << name;
  }
  auto stranger = TlsContext::client({.ca_file = other_ca, .alpn = {}});
  CO_ASSERT_OK(stranger);
  auto untrusted = co_await make_pair(*stranger, server, "a.test");
  CO_ASSERT(!untrusted.has_value());
  EXPECT_EQ(untrusted.error().code, Errc::PermissionDenied);
  auto careless = TlsContext::client({.ca_file = other_ca, .alpn = {}, .verify = false});
  auto anyway = co_await make_pair(*careless, server, "a.test");
  CO_ASSERT_OK(anyway);
  EXPECT_EQ(anyway->client.protocol(), "");
}

TEST_P(TlsTest, WhomAClientTrusts) {
  ASSERT_TRUE(runtime_->block_on(trust, client_, server_, dir_ / "b.crt").has_value());
}

TEST_P(TlsTest, ContextsFromBadFiles) {
  EXPECT_FALSE(TlsContext::client({.ca_file = dir_ / "missing", .alpn = {}}).has_value());
  EXPECT_FALSE(TlsContext::client({.ca_file = {}, .alpn = {""}}).has_value());
  EXPECT_FALSE(TlsContext::server({.certificate_file = dir_ / "a.crt",
                                   .key_file = dir_ / "b.key",
                                   .alpn = {},
                                   .client_ca_file = {}})
                   .has_value());
}

Task<Result<int>> talk(TlsContext client, TlsContext server) {
  ZOKIO_CO_TRY(Pair pair, co_await make_pair(client, server, "a.test"));
  const std::string text = test::pattern_text(400'000);
  struct Sender {
    static Task<Result<void>> send(TlsStream* to, std::string what) {
      IoResult sent = co_await io::write_all(*to, test::text_buffer(what));
      if (!sent.n.has_value()) co_return fail(sent.n.error());
      co_return co_await to->shutdown_write();
    }
    static Task<Result<std::string>> receive(TlsStream* from, std::size_t count) {
      IoResult got = co_await io::read_exactly(*from, *mem::lease(count), count);
      if (!got.n.has_value()) co_return fail(got.n.error());
      std::string out(as_text(got.buffer.bytes()));
      got = co_await from->read(std::move(got.buffer));
      if (!got.n.has_value()) co_return fail(got.n.error());
      if (*got.n != 0) co_return fail(Errc::DataLoss, "more than was sent");
      co_return out;
    }
  };
  for (const bool backwards : {false, true}) {
    TlsStream& from = backwards ? pair.server : pair.client;
    TlsStream& to = backwards ? pair.client : pair.server;
    auto [sent, got] =
        co_await when_all(Sender::send(&from, text), Sender::receive(&to, text.size()));
    if (!sent.has_value()) co_return fail(sent.error());
    if (!got.has_value()) co_return fail(got.error());
    if (*got != text) co_return fail(Errc::DataLoss, "other bytes came");
  }
  co_return 1;
}

Task<void> conversation(TlsContext client, TlsContext server) {
  auto done = co_await talk(client, server);
  CO_ASSERT_OK(done);
}

TEST_P(TlsTest, LargeTransfersAndCleanEnds) {
  ASSERT_TRUE(runtime_->block_on(conversation, client_, server_).has_value());
}

Task<void> truncated(TlsContext client, TlsContext server) {
  auto pair = co_await make_pair(client, server, "a.test");
  CO_ASSERT_OK(pair);
  IoResult sent = co_await pair->client.write(test::text_buffer("half"));
  CO_ASSERT_OK(sent.n);
  EXPECT_TRUE(pair->client.tcp().shutdown_write().has_value());  // nobody said so
  IoResult got = co_await io::read_exactly(pair->server, *mem::lease(16), 4);
  CO_ASSERT_OK(got.n);
  got = co_await pair->server.read(std::move(got.buffer));
  CO_ASSERT(!got.n.has_value());
  EXPECT_EQ(got.n.error().code, Errc::DataLoss);
  EXPECT_EQ(got.n.error().detail, Detail::Eof);
  EXPECT_EQ(got.buffer.capacity(), 16u);

  // What is no TLS at all.
  auto listener = net::TcpListener::bind(net::Address::loopback(0));
  auto tcp = co_await net::TcpStream::connect(*listener->local_address());
  CO_ASSERT_OK(tcp);
  auto accepted = co_await listener->accept();
  CO_ASSERT_OK(accepted);
  IoResult plain = co_await tcp->write_all(test::text_buffer("GET / HTTP/1.1\r\n\r\n"));
  CO_ASSERT_OK(plain.n);
  auto refused = co_await TlsStream::accept(*std::move(accepted), server);
  CO_ASSERT(!refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::DataLoss);
}

TEST_P(TlsTest, AnEndThatNobodyAnnouncedIsAnError) {
  ASSERT_TRUE(runtime_->block_on(truncated, client_, server_).has_value());
}

// The other end went first: a stream that nobody ended, a reset, a pipe without a reader.
bool is_a_lost_end(Errc code) {
  return code == Errc::DataLoss || code == Errc::Unavailable || code == Errc::OutOfRange;
}

Task<void> cut_anywhere(TlsContext client, TlsContext server) {
  unsigned ended = 0;
  unsigned cut = 0;
  co_await test::cancel_at_every_point([&](unsigned) { return spawn(talk, client, server); }, 48,
                                       &ended, &cut, &is_a_lost_end);
  EXPECT_GT(cut, 0u);
  // A read that was cut off goes on.
  auto pair = co_await make_pair(client, server, "a.test");
  CO_ASSERT_OK(pair);
  auto silent =
      co_await with_timeout(pair->server.read(*mem::lease(16)), std::chrono::milliseconds(3));
  CO_ASSERT_OK(silent);
  EXPECT_EQ(silent->n.error().code, Errc::Cancelled);
  EXPECT_EQ(silent->buffer.capacity(), 16u);
  IoResult sent = co_await pair->client.write(test::text_buffer("later"));
  CO_ASSERT_OK(sent.n);
  IoResult got = co_await io::read_exactly(pair->server, std::move(silent->buffer), 5);
  CO_ASSERT_OK(got.n);
  EXPECT_EQ(as_text(got.buffer.bytes()), "later");
}

TEST_P(TlsTest, CancelledAnywhere) {
  ASSERT_TRUE(runtime_->block_on(cut_anywhere, client_, server_).has_value());
}

ZOKIO_RUNTIME_MATRIX(TlsTest);

}  // namespace
}  // namespace zokio::tls
