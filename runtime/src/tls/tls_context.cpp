// SPDX-License-Identifier: Apache-2.0
#include "zokio/tls/tls_context.h"

#include <openssl/err.h>

#include "tls/shared.h"

namespace zokio::tls {
namespace {

// Errors of the library stay in a list of the thread until somebody takes them out.
Error refused(const char* where) noexcept {
  ERR_clear_error();
  return Error(Errc::InvalidArgument, where);
}

Result<std::string> wire_names(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    if (name.empty() || name.size() > 255) return fail(Errc::InvalidArgument, "alpn");
    out += static_cast<char>(name.size());
    out += name;
  }
  return out;
}

// The first of ours that the client offers; without a common one the handshake goes on without.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in,
                    unsigned in_size, void* ours) noexcept {
  const auto& names = *static_cast<const std::string*>(ours);
  unsigned char* chosen = nullptr;
  const int rc =
      SSL_select_next_proto(&chosen, size, reinterpret_cast<const unsigned char*>(names.data()),
                            static_cast<unsigned>(names.size()), in, in_size);
  *out = chosen;
  return rc == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

SSL_CTX* make(const SSL_METHOD* method) noexcept {
  SSL_CTX* context = SSL_CTX_new(method);
  if (context == nullptr) return nullptr;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // A write that waits comes back with another buffer, and may have been taken in part.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  return context;
}

}  // namespace

Result<TlsContext> TlsContext::client(const ClientOptions& options) {
  TlsContext out;
  out.context_ = std::make_shared<Shared>();
  Shared& shared = *out.context_;
  shared.ssl.reset(make(TLS_client_method()));
  if (!shared.ssl) return fail(Errc::ResourceExhausted, "tls");
  out.verify_ = options.verify;
  SSL_CTX_set_verify(shared.ssl.get(), options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  const int trusted =
      options.ca_file.empty()
          ? SSL_CTX_set_default_verify_paths(shared.ssl.get())
          : SSL_CTX_load_verify_locations(shared.ssl.get(), options.ca_file.c_str(), nullptr);
  if (trusted != 1) return fail(refused("ca_file"));
  ZOKIO_TRY(shared.alpn, wire_names(options.alpn));
  // 0 is success, for once.
  if (!shared.alpn.empty() &&
      SSL_CTX_set_alpn_protos(shared.ssl.get(),
                              reinterpret_cast<const unsigned char*>(shared.alpn.data()),
                              static_cast<unsigned>(shared.alpn.size())) != 0) {
    return fail(refused("alpn"));
  }
  return out;
}

Result<TlsContext> TlsContext::server(const ServerOptions& options) {
  TlsContext out;
  out.context_ = std::make_shared<Shared>();
  Shared& shared = *out.context_;
  shared.ssl.reset(make(TLS_server_method()));
  if (!shared.ssl) return fail(Errc::ResourceExhausted, "tls");
  SSL_CTX* ssl = shared.ssl.get();
  if (SSL_CTX_use_certificate_chain_file(ssl, options.certificate_file.c_str()) != 1) {
    return fail(refused("certificate_file"));
  }
  if (SSL_CTX_use_PrivateKey_file(ssl, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(ssl) != 1) {
    return fail(refused("key_file"));
  }
  if (!options.client_ca_file.empty()) {
    if (SSL_CTX_load_verify_locations(ssl, options.client_ca_file.c_str(), nullptr) != 1) {
      return fail(refused("client_ca_file"));
    }
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  ZOKIO_TRY(shared.alpn, wire_names(options.alpn));
  if (!shared.alpn.empty()) SSL_CTX_set_alpn_select_cb(ssl, &choose_protocol, &shared.alpn);
  return out;
}

}  // namespace zokio::tls
