// SPDX-License-Identifier: Apache-2.0
#pragma once

// What can be set: one struct for each table of zokiod.toml, and the list of fields that gives
// every key its place, unit, range, text and whether a running daemon takes it.
//
// A key is added in two places: its member here and its row in fields.cpp. Parsing, --set, the
// printed default file, the reload diff and the tests walk the rows.
// Thread: values.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "zokio/base/clock.h"

namespace zokiod::config {

// In the file a number of bytes, or text with a unit: "64MiB", "1GiB", "4096".
struct Bytes {
  uint64_t count = 0;
  friend bool operator==(Bytes, Bytes) = default;
};
// In the file text with a unit: "500ms", "30s", "5m", "2h".
struct Span {
  zokio::Duration value{};
  friend bool operator==(Span, Span) = default;
};

struct IoConfig {
  std::string backend = "auto";
  std::string placement = "inline";
  uint32_t ring_entries = 256;
  uint32_t receive_buffers = 256;
  uint32_t blocking_threads = 8;
  friend bool operator==(const IoConfig&, const IoConfig&) = default;
};

struct PoolsConfig {
  Bytes frames_limit;
  Bytes buffers_limit;
  Bytes heap_limit;
  Bytes frames_thread_cache;
  Bytes buffers_thread_cache;
  Bytes heap_thread_cache;
  Bytes frames_central_cache;
  Bytes buffers_central_cache;
  Bytes heap_central_cache;
  std::string buffers_when_full = "fail";
  std::string heap_when_full = "fail";
  Span decay{std::chrono::seconds(10)};
  bool huge_pages = false;
  friend bool operator==(const PoolsConfig&, const PoolsConfig&) = default;
};

struct RpcConfig {
  std::string runtime_dir = "/run/zokio";
  std::string socket_mode = "0660";
  std::string socket_group;
  Bytes message_limit{4ull << 20};
  bool reflection = true;
  friend bool operator==(const RpcConfig&, const RpcConfig&) = default;
};

struct HttpConfig {
  std::string address = "127.0.0.1:9464";
  friend bool operator==(const HttpConfig&, const HttpConfig&) = default;
};

struct JobsConfig {
  uint32_t concurrency = 0;
  uint32_t queue_limit = 100'000;
  uint32_t retain_finished = 10'000;
  Bytes output_limit{64ull << 10};
  Span drain_timeout{std::chrono::seconds(30)};
  std::vector<std::string> queues;
  friend bool operator==(const JobsConfig&, const JobsConfig&) = default;
};

struct PolicyConfig {
  bool exec_enabled = false;
  std::vector<std::string> exec_env = {"PATH", "LANG", "LC_ALL", "TZ"};
  std::vector<std::string> roots;
  std::vector<uint32_t> allowed_uids;
  std::vector<uint32_t> allowed_gids;
  std::vector<std::string> listen = {};  // rules of model/address_rules.h
  std::vector<std::string> connect = {};
  std::vector<std::string> plugins = {};  // lines of model/plugin_rule.h
  friend bool operator==(const PolicyConfig&, const PolicyConfig&) = default;
};

struct LogConfig {
  std::string level = "info";
  friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

struct SoakConfig {
  bool allow_faults = false;
  friend bool operator==(const SoakConfig&, const SoakConfig&) = default;
};

struct Config {
  uint32_t workers = 0;
  uint32_t reactors = 0;
  std::string autosize = "off";
  Bytes memory_limit;
  std::string state_dir = "/var/lib/zokio";
  IoConfig io;
  PoolsConfig pools;
  RpcConfig rpc;
  HttpConfig http;
  JobsConfig jobs;
  PolicyConfig policy;
  SoakConfig soak;
  LogConfig log;
  friend bool operator==(const Config&, const Config&) = default;

  std::string socket_path() const { return rpc.runtime_dir + "/zokiod.sock"; }
  std::string scratch_dir() const { return state_dir + "/scratch"; }
  std::string soak_dir() const { return state_dir + "/soak"; }
};

// Whether a reload applies a change, or the daemon has to be started again for it.
enum class Takes : uint8_t { Live, Restart };

using FieldRef = std::variant<bool*, uint32_t*, Bytes*, Span*, std::string*,
                              std::vector<std::string>*, std::vector<uint32_t>*>;

struct Field {
  std::string_view key;  // "jobs.concurrency"
  Takes takes;
  std::string_view unit;  // of a number: "threads"; empty: none
  std::string_view text;  // what it is; one or more lines for the sample file
  FieldRef (*ref)(Config&);
  uint64_t min = 0;  // of numbers, bytes, and nanoseconds
  uint64_t max = UINT64_MAX;
  std::span<const std::string_view> choices = {};  // of text; empty: anything
};

// In the order of the sample file: root keys first, then table by table.
std::span<const Field> fields();
// Null: no such key.
const Field* find_field(std::string_view key);

// The value as TOML.
std::string to_toml(const Field& field, const Config& config);
// The whole documented file with the defaults as comments: `zokiod --print-config`.
std::string default_file();

}  // namespace zokiod::config
