// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a TlsContext holds.

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "zokio/tls/tls_context.h"

namespace zokio::tls {

struct TlsContext::Shared {
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> ssl{nullptr, &SSL_CTX_free};
  std::string alpn;  // as on the wire: each name behind a byte with its length
};

}  // namespace zokio::tls
