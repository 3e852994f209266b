// SPDX-License-Identifier: Apache-2.0
#pragma once

// What was asked for: one plain struct for each kind, and what is common to all.
//
// A field is added here, in its fields() function (codec.h uses it for the store) and in the proto.
// Durations are nanoseconds; sizes carry their unit in the name. Zero means "the default".

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "zokio/base/clock.h"

namespace zokiod::model {

// exec: runs a command, without a shell.
struct ExecSpec {
  static constexpr std::string_view kKind = "exec";
  std::vector<std::string> argv;           // argv[0]: a path, or a name looked up in PATH
  std::string cwd;                         // absolute; empty: "/"
  std::map<std::string, std::string> env;  // added to the clean environment
  zokio::Duration grace{};                 // between TERM and KILL; 0: 5 s
  friend bool operator==(const ExecSpec&, const ExecSpec&) = default;
};

// file.checksum: digests every regular file below a path.
struct FileChecksumSpec {
  static constexpr std::string_view kKind = "file.checksum";
  std::string path;           // absolute, below a configured root
  std::string manifest_path;  // absolute, below a root; empty: none is written
  friend bool operator==(const FileChecksumSpec&, const FileChecksumSpec&) = default;
};

// file.copy: copies one file and compares what was written with what was read.
struct FileCopySpec {
  static constexpr std::string_view kKind = "file.copy";
  std::string source;       // absolute, below a configured root
  std::string destination;  // absolute, below a configured root
  bool overwrite = false;   // false: ALREADY_EXISTS when the destination is there
  friend bool operator==(const FileCopySpec&, const FileCopySpec&) = default;
};

// synthetic.spawn: a seeded fork-join tree of tasks with a verified checksum.
struct SyntheticSpawnSpec {
  static constexpr std::string_view kKind = "synthetic.spawn";
  uint64_t seed = 0;
  uint64_t tasks = 0;   // 0: 1000
  uint32_t fanout = 0;  // children of a task; 0: 8
  uint32_t work = 0;    // mixing rounds in each task; 0: 64
  friend bool operator==(const SyntheticSpawnSpec&, const SyntheticSpawnSpec&) = default;
};

// synthetic.alloc: takes and returns pool buffers with patterns that are verified.
struct SyntheticAllocSpec {
  static constexpr std::string_view kKind = "synthetic.alloc";
  uint64_t seed = 0;
  uint64_t operations = 0;            // 0: 10000
  uint32_t tasks = 0;                 // at a time; 0: 4
  uint32_t live_blocks = 0;           // held by each task at most; 0: 32
  uint64_t block_size_max_bytes = 0;  // 0: 64 KiB
  friend bool operator==(const SyntheticAllocSpec&, const SyntheticAllocSpec&) = default;
};

// synthetic.file: writes, reads back, verifies and removes a scratch file.
struct SyntheticFileSpec {
  static constexpr std::string_view kKind = "synthetic.file";
  uint64_t seed = 0;
  uint64_t size_bytes = 0;   // 0: 1 MiB
  uint32_t block_bytes = 0;  // 0: 64 KiB
  bool fsync = false;
  friend bool operator==(const SyntheticFileSpec&, const SyntheticFileSpec&) = default;
};

using Work = std::variant<ExecSpec, FileChecksumSpec, FileCopySpec, SyntheticSpawnSpec,
                          SyntheticAllocSpec, SyntheticFileSpec>;

struct RetryPolicy {
  uint32_t attempts_max = 1;          // counted ones: interrupted attempts are not
  zokio::Duration backoff_initial{};  // before the second attempt; 0: 1 s. Doubles each time
  zokio::Duration backoff_max{};      // 0: 5 min
  friend bool operator==(const RetryPolicy&, const RetryPolicy&) = default;
};

struct JobSpec {
  Work work;
  int32_t priority = 0;       // higher first; -100..100
  zokio::Duration timeout{};  // of one attempt; 0: none
  RetryPolicy retry;
  std::map<std::string, std::string> labels;  // never in metrics
  friend bool operator==(const JobSpec&, const JobSpec&) = default;

  std::string_view kind() const {
    return std::visit([](const auto& w) { return std::remove_cvref_t<decltype(w)>::kKind; }, work);
  }
};

// What an attempt produced, one struct for each kind.
struct ExecResult {
  int32_t exit_code = 0;      // 128 + signal when a signal ended it
  int32_t signal = 0;         // 0: exited by itself
  uint64_t output_bytes = 0;  // written by the command, kept or not
  friend bool operator==(const ExecResult&, const ExecResult&) = default;
};
struct FileChecksumResult {
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t skipped = 0;       // symbolic links and special files: never followed
  std::string xxh3;           // XXH3-128 of the manifest's lines, 32 hex digits
  std::string sha256;         // SHA-256 of the manifest's lines, 64 hex digits
  std::string manifest_path;  // empty: none was written
  friend bool operator==(const FileChecksumResult&, const FileChecksumResult&) = default;
};
struct FileCopyResult {
  uint64_t bytes = 0;
  std::string xxh3;
  std::string sha256;
  friend bool operator==(const FileCopyResult&, const FileCopyResult&) = default;
};
struct SyntheticResult {
  uint64_t operations = 0;  // tasks, blocks, or file operations
  uint64_t bytes = 0;
  std::string checksum;  // hexadecimal; equal for equal specs
  friend bool operator==(const SyntheticResult&, const SyntheticResult&) = default;
};
using JobResult =
    std::variant<std::monostate, ExecResult, FileChecksumResult, FileCopyResult, SyntheticResult>;

// One function for each struct that names its fields: the codec walks it both ways.
template <class V>
void fields(V& v, ExecSpec& s) {
  v("argv", s.argv);
  v("cwd", s.cwd);
  v("env", s.env);
  v("grace_ns", s.grace);
}
template <class V>
void fields(V& v, FileChecksumSpec& s) {
  v("path", s.path);
  v("manifest_path", s.manifest_path);
}
template <class V>
void fields(V& v, FileCopySpec& s) {
  v("source", s.source);
  v("destination", s.destination);
  v("overwrite", s.overwrite);
}
template <class V>
void fields(V& v, SyntheticSpawnSpec& s) {
  v("seed", s.seed);
  v("tasks", s.tasks);
  v("fanout", s.fanout);
  v("work", s.work);
}
template <class V>
void fields(V& v, SyntheticAllocSpec& s) {
  v("seed", s.seed);
  v("operations", s.operations);
  v("tasks", s.tasks);
  v("live_blocks", s.live_blocks);
  v("block_size_max_bytes", s.block_size_max_bytes);
}
template <class V>
void fields(V& v, SyntheticFileSpec& s) {
  v("seed", s.seed);
  v("size_bytes", s.size_bytes);
  v("block_bytes", s.block_bytes);
  v("fsync", s.fsync);
}
template <class V>
void fields(V& v, ExecResult& s) {
  v("exit_code", s.exit_code);
  v("signal", s.signal);
  v("output_bytes", s.output_bytes);
}
template <class V>
void fields(V& v, FileChecksumResult& s) {
  v("files", s.files);
  v("bytes", s.bytes);
  v("skipped", s.skipped);
  v("xxh3", s.xxh3);
  v("sha256", s.sha256);
  v("manifest_path", s.manifest_path);
}
template <class V>
void fields(V& v, FileCopyResult& s) {
  v("bytes", s.bytes);
  v("xxh3", s.xxh3);
  v("sha256", s.sha256);
}
template <class V>
void fields(V& v, SyntheticResult& s) {
  v("operations", s.operations);
  v("bytes", s.bytes);
  v("checksum", s.checksum);
}

}  // namespace zokiod::model
