// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every command works with: the global options, the three streams, the connection.
// Thread: one.

#include <chrono>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "client.h"
#include "failure.h"
#include "output.h"

namespace zokioctl {

struct Context {
  Context(std::istream& i, std::ostream& o, std::ostream& e) : in(i), out(o), err(e) {}

  // Data goes to out, everything else to err.
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool color_out = false;
  bool color_err = false;

  // Global options.
  std::string address = "unix:///run/zokio/zokiod.sock";
  Format format = Format::Table;
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);
  bool quiet = false;

  // What followed "--".
  std::vector<std::string> rest;

  Client& client();
  // A line for people on err, unless --quiet.
  void say(const std::string& line);
  // Prints the failure and returns its exit code. A broken connection is explained.
  int report(Failure failure);
  int report(const grpc::Status& status);

 private:
  std::unique_ptr<Client> client_;
};

}  // namespace zokioctl
