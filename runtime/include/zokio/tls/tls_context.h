// SPDX-License-Identifier: Apache-2.0
#pragma once

// What TLS connections share: certificates, whom to trust, which protocols to offer. TLS 1.2 and
// later. Made once, at the start: it reads files, and blocks for that.
// Thread: any number of connections use one at the same time.

#include <memory>
#include <string>
#include <vector>

#include "zokio/base/result.h"

namespace zokio::tls {

struct ClientOptions {
  std::string ca_file{};            // PEM; empty: what the system trusts
  std::vector<std::string> alpn{};  // "h2", "http/1.1": the best first
  // Off: anybody may pretend to be the server. Only for tests against a server of one's own.
  bool verify = true;
};

struct ServerOptions {
  std::string certificate_file{};   // PEM, the chain from the server's own on
  std::string key_file{};           // PEM
  std::vector<std::string> alpn{};  // the best first; the first that the client offers is taken
  std::string client_ca_file{};     // PEM; not empty: a client must have a certificate from there
};

class TlsContext {
 public:
  TlsContext() = default;
  // Errors: InvalidArgument (a file that cannot be read or is not what it should be, a key that
  // does not fit, a protocol name of 0 or more than 255 bytes), ResourceExhausted.
  static Result<TlsContext> client(const ClientOptions& options = {});
  static Result<TlsContext> server(const ServerOptions& options);

  explicit operator bool() const noexcept { return context_ != nullptr; }

 private:
  friend class TlsStream;
  struct Shared;  // the library's context and what its callbacks use
  std::shared_ptr<Shared> context_;
  bool verify_ = true;
};

}  // namespace zokio::tls
