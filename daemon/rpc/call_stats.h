// SPDX-License-Identifier: Apache-2.0
#pragma once

// Figures of the API: calls by method and code, and how long they took.
// Thread: any.

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "zokio/stats/histogram.h"

namespace zokiod::rpc {

inline constexpr size_t kCodes = 17;  // of the canonical status codes, 0 to 16

// "OK", "NOT_FOUND", ...; requires code < kCodes.
std::string_view code_name(size_t code);

struct MethodFigures {
  std::string service;                     // "zokio.v1.JobService"
  std::string method;                      // "SubmitJob"
  std::array<uint64_t, kCodes> handled{};  // index: the status code
  zokio::HistogramSnapshot handling_ns;    // from the request to the last byte of the answer
};

struct ServerStats {
  uint64_t connections_accepted = 0;
  uint64_t connections_refused = 0;  // more identities than kIdentitiesMax
  uint64_t calls_denied = 0;         // not allowed to use this socket
  uint64_t calls_active = 0;
  std::vector<MethodFigures> methods;  // every method from the start, at zero
};

class CallStats {
 public:
  class Method {
   public:
    Method(std::string s, std::string m) : service(std::move(s)), name(std::move(m)) {}
    const std::string service;
    const std::string name;
    void record(size_t code, uint64_t ns) noexcept {
      handled_[code < kCodes ? code : 2].add_shared();
      handling_ns_.record_shared(ns);
    }

   private:
    friend class CallStats;
    std::array<zokio::stats::Counter, kCodes> handled_;
    zokio::stats::Histogram handling_ns_;
  };

  // The row of a method, made at the first call; stays where it is.
  Method& method(std::string_view service, std::string_view name);
  ServerStats snapshot() const;

  zokio::stats::Counter connections_accepted;
  zokio::stats::Counter connections_refused;
  zokio::stats::Counter calls_denied;
  std::atomic<uint64_t> calls_active{0};

 private:
  mutable std::mutex mutex_;
  std::deque<Method> methods_;  // guarded by mutex_; rows never move
};

}  // namespace zokiod::rpc
