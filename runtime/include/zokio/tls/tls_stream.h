// SPDX-License-Identifier: Apache-2.0
#pragma once

// TLS over a TCP stream, by OpenSSL on memory alone: the library never sees a descriptor, and all
// waiting is that of the TcpStream, on both backends. A component of its own (zokio::tls), so that
// only who uses it links OpenSSL.
//
// A client verifies the server's certificate and its name unless the context says otherwise. A
// connection that ends without the other side's close_notify is an error (DataLoss/Eof), because
// anybody on the way can end a TCP stream early.
// Cancel: read takes nothing; what write has accepted counts as written, also when the cancel comes
// while it is sent: it is sent with the next call. A handshake that was cut off cannot be resumed.
// Thread: one task at a time, for both directions.

#include <memory>
#include <string>

#include "zokio/io/stream.h"
#include "zokio/net/tcp_stream.h"
#include "zokio/tls/tls_context.h"

namespace zokio::tls {

class TlsStream {
 public:
  TlsStream() noexcept;
  TlsStream(TlsStream&& other) noexcept;
  TlsStream& operator=(TlsStream&& other) noexcept;
  ~TlsStream();

  // The handshake of a client. `host`: the name, or the address in digits, that the certificate
  // has to be for. Errors: PermissionDenied (the certificate or the name is not trusted), DataLoss
  // (not TLS, no common version; Eof: it was cut off), those of the stream.
  static Task<Result<TlsStream>> connect(net::TcpStream stream, TlsContext context,
                                         std::string host);
  // The handshake of a server.
  static Task<Result<TlsStream>> accept(net::TcpStream stream, TlsContext context);

  // As io/stream.h. n == 0: the other side said that it is done.
  Task<IoResult> read(mem::Buffer buffer, std::size_t skip = 0, std::size_t limit = io::kNoLimit);
  Task<IoResult> write(mem::Buffer buffer, std::size_t skip = 0);
  // Sends what a cancelled write left behind.
  Task<Result<void>> flush();
  // Says that no more will be written; reading goes on.
  Task<Result<void>> shutdown_write();

  // What both sides agreed on: "h2", or "" for nothing.
  std::string protocol() const;
  // "TLSv1.3"
  std::string version() const;
  bool is_open() const noexcept { return state_ != nullptr; }
  // Underneath; for its addresses and options.
  net::TcpStream& tcp() noexcept;

 private:
  struct State;
  explicit TlsStream(std::unique_ptr<State> state) noexcept;
  static Task<Result<TlsStream>> shake_hands(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace zokio::tls
