// SPDX-License-Identifier: Apache-2.0
#include "zokio/tls/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "tls/shared.h"

namespace zokio::tls {
namespace {

// Of each direction: one record of 16 KiB and what belongs to it.
constexpr std::size_t kCipherBytes = 18 << 10;

int bounded(std::size_t n) noexcept {
  return static_cast<int>(std::min<std::size_t>(n, INT_MAX));
}

IoResult failed(const Error& error, mem::Buffer buffer) {
  return {.n = fail(error), .buffer = std::move(buffer)};
}

}  // namespace

struct TlsStream::State {
  // Errors: ResourceExhausted.
  static Result<std::unique_ptr<State>> make(net::TcpStream tcp, const TlsContext& context) {
    auto out = std::make_unique<State>();
    ZOKIO_TRY(out->received, mem::lease(kCipherBytes));
    ZOKIO_TRY(out->to_send, mem::lease(kCipherBytes));
    out->tcp = std::move(tcp);
    out->context = context;
    out->ssl.reset(SSL_new(context.context_->ssl.get()));
    BIO* in = BIO_new(BIO_s_mem());
    BIO* sent = BIO_new(BIO_s_mem());
    if (!out->ssl || in == nullptr || sent == nullptr) {
      BIO_free(in);
      BIO_free(sent);
      return fail(Errc::ResourceExhausted, "tls");
    }
    // Empty means wait; the end of the stream is known here, and told by nobody else.
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(sent, -1);
    SSL_set_bio(out->ssl.get(), in, sent);  // takes both over
    return out;
  }

  // Sends what the library has put out.
  Task<Result<void>> flush() {
    for (;;) {
      if (sent == to_send.size()) {
        const int n =
            BIO_read(SSL_get_wbio(ssl.get()), to_send.data(), static_cast<int>(to_send.capacity()));
        if (n <= 0) co_return Result<void>();
        to_send.resize(static_cast<std::size_t>(n));
        sent = 0;
      }
      IoResult step = co_await tcp.write(std::move(to_send), sent);
      to_send = std::move(step.buffer);
      if (!step.n.has_value()) co_return fail(step.n.error());
      sent += *step.n;
    }
  }

  // Receives something for the library. DataLoss/Eof: the stream ended, and nobody had said so.
  Task<Result<void>> feed() {
    IoResult step = co_await tcp.read(std::move(received));
    received = std::move(step.buffer);
    if (!step.n.has_value()) co_return fail(step.n.error());
    if (*step.n == 0) co_return fail(Errc::DataLoss, "tls", Detail::Eof);
    if (BIO_write(SSL_get_rbio(ssl.get()), received.data(), bounded(*step.n)) != bounded(*step.n)) {
      co_return fail(Errc::ResourceExhausted, "tls");
    }
    co_return Result<void>();
  }

  // What a call that returned `rc` wants. On the thread of that call, before anything is awaited.
  int wants(int rc) noexcept { return SSL_get_error(ssl.get(), rc); }

  Error broken() noexcept {
    ERR_clear_error();
    const bool untrusted = SSL_get_verify_result(ssl.get()) != X509_V_OK;
    return untrusted && context.verify_ ? Error(Errc::PermissionDenied, "tls certificate")
                                        : Error(Errc::DataLoss, "tls");
  }

  net::TcpStream tcp;
  TlsContext context;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl{nullptr, &SSL_free};
  mem::Buffer received;
  mem::Buffer to_send;
  std::size_t sent = 0;  // of to_send
};

TlsStream::TlsStream() noexcept = default;
TlsStream::TlsStream(TlsStream&& other) noexcept = default;
TlsStream& TlsStream::operator=(TlsStream&& other) noexcept = default;
TlsStream::~TlsStream() = default;
TlsStream::TlsStream(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}

Task<Result<TlsStream>> TlsStream::connect(net::TcpStream stream, TlsContext context,
                                           std::string host) {
  if (!context || host.empty()) co_return fail(Errc::InvalidArgument, "tls");
  ZOKIO_CO_TRY(auto state, State::make(std::move(stream), context));
  SSL* ssl = state->ssl.get();
  SSL_set_connect_state(ssl);
  X509_VERIFY_PARAM* rules = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // An address is no name: it is looked for among the addresses, and not sent in the clear.
  const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1;
  ERR_clear_error();
  if (!is_address &&
      (SSL_set1_host(ssl, host.c_str()) != 1 || SSL_set_tlsext_host_name(ssl, host.c_str()) != 1)) {
    ERR_clear_error();
    co_return fail(Errc::InvalidArgument, "tls");
  }
  co_return co_await shake_hands(std::move(state));
}

Task<Result<TlsStream>> TlsStream::accept(net::TcpStream stream, TlsContext context) {
  if (!context) co_return fail(Errc::InvalidArgument, "tls");
  ZOKIO_CO_TRY(auto state, State::make(std::move(stream), context));
  SSL_set_accept_state(state->ssl.get());
  co_return co_await shake_hands(std::move(state));
}

Task<Result<TlsStream>> TlsStream::shake_hands(std::unique_ptr<State> state) {
  for (;;) {
    ERR_clear_error();
    const int rc = SSL_do_handshake(state->ssl.get());
    const int wants = rc == 1 ? SSL_ERROR_NONE : state->wants(rc);
    const Error error = wants == SSL_ERROR_SSL ? state->broken() : Error(Errc::DataLoss, "tls");
    // After a failure too: the other side is told by an alert.
    auto flushed = co_await state->flush();
    if (wants != SSL_ERROR_NONE && wants != SSL_ERROR_WANT_READ) co_return fail(error);
    if (!flushed.has_value()) co_return fail(flushed.error());
    if (wants == SSL_ERROR_NONE) co_return TlsStream(std::move(state));
    ZOKIO_CO_CHECKED(co_await state->feed());
  }
}

Task<IoResult> TlsStream::read(mem::Buffer buffer, std::size_t skip, std::size_t limit) {
  if (skip >= buffer.capacity() || limit == 0) {
    co_return failed(Error(Errc::InvalidArgument, "read"), std::move(buffer));
  }
  for (;;) {
    ERR_clear_error();
    const int rc = SSL_read(state_->ssl.get(), buffer.data() + skip,
                            bounded(std::min(buffer.capacity() - skip, limit)));
    if (rc > 0) {
      buffer.resize(skip + static_cast<std::size_t>(rc));
      co_return IoResult{.n = static_cast<std::size_t>(rc), .buffer = std::move(buffer)};
    }
    const int wants = state_->wants(rc);
    if (wants == SSL_ERROR_ZERO_RETURN) {
      buffer.resize(skip);
      co_return IoResult{.n = 0, .buffer = std::move(buffer)};
    }
    if (wants != SSL_ERROR_WANT_READ) co_return failed(state_->broken(), std::move(buffer));
    // The library may have to answer (new keys) before it hears more.
    auto step = co_await state_->flush();
    if (step.has_value()) step = co_await state_->feed();
    if (!step.has_value()) co_return failed(step.error(), std::move(buffer));
  }
}

Task<IoResult> TlsStream::write(mem::Buffer buffer, std::size_t skip) {
  if (skip > buffer.size()) {
    co_return failed(Error(Errc::InvalidArgument, "write"), std::move(buffer));
  }
  // What is left of before goes first; nothing of this is taken until then.
  auto flushed = co_await state_->flush();
  if (!flushed.has_value()) co_return failed(flushed.error(), std::move(buffer));
  if (skip == buffer.size()) co_return IoResult{.n = 0, .buffer = std::move(buffer)};
  ERR_clear_error();
  const int rc = SSL_write(state_->ssl.get(), buffer.data() + skip, bounded(buffer.size() - skip));
  if (rc <= 0) co_return failed(state_->broken(), std::move(buffer));
  flushed = co_await state_->flush();
  if (!flushed.has_value() && flushed.error().code != Errc::Cancelled) {
    co_return failed(flushed.error(), std::move(buffer));
  }
  co_return IoResult{.n = static_cast<std::size_t>(rc), .buffer = std::move(buffer)};
}

Task<Result<void>> TlsStream::flush() {
  return state_->flush();
}

Task<Result<void>> TlsStream::shutdown_write() {
  ERR_clear_error();
  // 0: said, and the other side has not answered, which is no matter here.
  if (SSL_shutdown(state_->ssl.get()) < 0) co_return fail(state_->broken());
  ZOKIO_CO_CHECKED(co_await state_->flush());
  co_return state_->tcp.shutdown_write();
}

std::string TlsStream::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(state_->ssl.get(), &name, &size);
  return std::string(reinterpret_cast<const char*>(name), size);
}

std::string TlsStream::version() const {
  return SSL_get_version(state_->ssl.get());
}

net::TcpStream& TlsStream::tcp() noexcept {
  return state_->tcp;
}

}  // namespace zokio::tls
