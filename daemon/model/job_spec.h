// SPDX-License-Identifier: Apache-2.0
#pragma once

// What was asked for: one plain struct for each kind, and what is common to all.
//
// A field is added here, in its fields() function (the store and the wire go by it) and in the
// proto. Durations are nanoseconds; sizes carry their unit in the name. Zero means "the default".

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/queue.h"
#include "zokio/base/clock.h"

namespace zokiod::model {

// exec: runs a command, without a shell.
struct ExecSpec {
  static constexpr std::string_view kKind = "exec";
  std::vector<std::string> argv;           // argv[0]: a path, or a name looked up in PATH
  std::string cwd;                         // absolute; empty: "/"
  std::map<std::string, std::string> env;  // added to the clean environment
  zokio::Duration grace{};                 // between TERM and KILL; 0: 5 s
  zokio::Duration cpu_time_max{};          // of each process; 0: no limit, as below
  uint64_t memory_max_bytes = 0;           // address space of each process
  uint64_t file_size_max_bytes = 0;        // of a file that it writes
  uint32_t open_files_max = 0;             // 0: 1024
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

// file.scrub: compares the files of a tree with a manifest of their digests.
struct FileScrubSpec {
  static constexpr std::string_view kKind = "file.scrub";
  std::string path;               // the tree: absolute, below a configured root
  std::string manifest_path;      // as file.checksum or sha256sum writes it
  uint64_t bytes_per_second = 0;  // read at most that fast; 0: no limit
  std::string progress_path;      // where to go on from; empty: from the start each time
  friend bool operator==(const FileScrubSpec&, const FileScrubSpec&) = default;
};

// file.compress: a zstd file of one file, decompressed again before it gets its name.
struct FileCompressSpec {
  static constexpr std::string_view kKind = "file.compress";
  std::string source;
  std::string destination;
  bool overwrite = false;
  int32_t level = 0;  // 1 to 19; 0: 3
  friend bool operator==(const FileCompressSpec&, const FileCompressSpec&) = default;
};

// file.decompress: the content of a zstd file.
struct FileDecompressSpec {
  static constexpr std::string_view kKind = "file.decompress";
  std::string source;
  std::string destination;
  bool overwrite = false;
  uint64_t size_max_bytes = 0;  // of the content; 0: 1 TiB
  friend bool operator==(const FileDecompressSpec&, const FileDecompressSpec&) = default;
};

// synthetic.spin: computes, on one or more workers.
struct SyntheticSpinSpec {
  static constexpr std::string_view kKind = "synthetic.spin";
  uint64_t seed = 0;
  uint64_t iterations = 0;  // of all tasks together; 0: 10 million
  uint32_t tasks = 0;       // 0: 1
  friend bool operator==(const SyntheticSpinSpec&, const SyntheticSpinSpec&) = default;
};

// synthetic.yield: tasks that give up the worker again and again.
struct SyntheticYieldSpec {
  static constexpr std::string_view kKind = "synthetic.yield";
  uint64_t seed = 0;
  uint32_t tasks = 0;   // 0: 16
  uint64_t yields = 0;  // of each task; 0: 1000
  friend bool operator==(const SyntheticYieldSpec&, const SyntheticYieldSpec&) = default;
};

// synthetic.timer: many timers with seeded delays at the same time.
struct SyntheticTimerSpec {
  static constexpr std::string_view kKind = "synthetic.timer";
  uint64_t seed = 0;
  uint64_t timers = 0;          // 0: 1000
  zokio::Duration delay_max{};  // 0: 100 ms
  friend bool operator==(const SyntheticTimerSpec&, const SyntheticTimerSpec&) = default;
};

// synthetic.channel: producers and consumers on one bounded channel.
struct SyntheticChannelSpec {
  static constexpr std::string_view kKind = "synthetic.channel";
  uint64_t seed = 0;
  uint64_t messages = 0;   // of all producers together; 0: 10000
  uint32_t producers = 0;  // 0: 4
  uint32_t consumers = 0;  // 0: 4
  uint32_t capacity = 0;   // 0: 64
  friend bool operator==(const SyntheticChannelSpec&, const SyntheticChannelSpec&) = default;
};

// synthetic.fanout: rounds of tasks that are started together and awaited together.
struct SyntheticFanoutSpec {
  static constexpr std::string_view kKind = "synthetic.fanout";
  uint64_t seed = 0;
  uint64_t rounds = 0;  // 0: 100
  uint32_t width = 0;   // tasks of a round; 0: 64
  uint32_t work = 0;    // mixing rounds in each task; 0: 64
  friend bool operator==(const SyntheticFanoutSpec&, const SyntheticFanoutSpec&) = default;
};

// synthetic.tcp: connections over loopback whose bytes come back and are compared.
struct SyntheticTcpSpec {
  static constexpr std::string_view kKind = "synthetic.tcp";
  uint64_t seed = 0;
  uint32_t connections = 0;  // 0: 4
  uint64_t size_bytes = 0;   // sent on each; 0: 1 MiB
  uint32_t block_bytes = 0;  // of one write; 0: 16 KiB
  friend bool operator==(const SyntheticTcpSpec&, const SyntheticTcpSpec&) = default;
};

// tcp.echo: a service that sends back what it receives.
struct TcpEchoSpec {
  static constexpr std::string_view kKind = "tcp.echo";
  std::string listen;               // numeric ADDRESS:PORT
  uint32_t connections_max = 0;     // 0: 1000
  zokio::Duration idle_timeout{};   // 0: never
  zokio::Duration drain_timeout{};  // 0: 5 s
  friend bool operator==(const TcpEchoSpec&, const TcpEchoSpec&) = default;
};

// tcp.proxy: a service that passes connections on.
struct TcpProxySpec {
  static constexpr std::string_view kKind = "tcp.proxy";
  std::string listen;                 // numeric ADDRESS:PORT
  std::string target;                 // HOST:PORT
  uint32_t connections_max = 0;       // 0: 1000
  zokio::Duration idle_timeout{};     // 0: never
  zokio::Duration drain_timeout{};    // 0: 5 s
  zokio::Duration connect_timeout{};  // 0: 10 s
  friend bool operator==(const TcpProxySpec&, const TcpProxySpec&) = default;
};

// plugin: runs a shared library that the configuration names.
struct PluginSpec {
  static constexpr std::string_view kKind = "plugin";
  std::string name;  // of policy.plugins
  std::map<std::string, std::string> arguments;
  friend bool operator==(const PluginSpec&, const PluginSpec&) = default;
};

using Work =
    std::variant<ExecSpec, FileChecksumSpec, FileCopySpec, SyntheticSpawnSpec, SyntheticAllocSpec,
                 SyntheticFileSpec, FileScrubSpec, FileCompressSpec, FileDecompressSpec,
                 SyntheticSpinSpec, SyntheticYieldSpec, SyntheticTimerSpec, SyntheticChannelSpec,
                 SyntheticFanoutSpec, SyntheticTcpSpec, TcpEchoSpec, TcpProxySpec, PluginSpec>;

// What becomes of a job when one that it comes after did not succeed. The numbers are stored.
enum class OnFailure : uint8_t {
  Cancel = 0,
  Run = 1,   // as if it had
  Hold = 2,  // waits until someone requeues or cancels it
};

struct RetryPolicy {
  uint32_t attempts_max = 1;          // counted ones: interrupted attempts are not
  zokio::Duration backoff_initial{};  // before the second attempt; 0: 1 s. Doubles each time
  zokio::Duration backoff_max{};      // 0: 5 min
  uint32_t crashes_max = 0;           // of the daemon while it runs, in a row; 0: 10
  friend bool operator==(const RetryPolicy&, const RetryPolicy&) = default;
};

struct JobSpec {
  Work work;
  std::string queue;          // empty: the default one
  int32_t priority = 0;       // higher first; -100..100
  zokio::Duration timeout{};  // of one attempt; 0: none
  RetryPolicy retry;
  std::map<std::string, std::string> labels;  // never in metrics
  zokio::Duration delay{};                    // from the submit until it may be queued
  zokio::Duration deadline{};      // from the submit to its end, all attempts together; 0: none
  std::vector<std::string> after;  // ids of jobs that end first
  OnFailure on_failure = OnFailure::Cancel;
  friend bool operator==(const JobSpec&, const JobSpec&) = default;

  std::string_view queue_name() const { return queue.empty() ? kDefaultQueue : queue; }
  std::string_view kind() const {
    return std::visit([](const auto& w) { return std::remove_cvref_t<decltype(w)>::kKind; }, work);
  }
};

// What an attempt produced. kName is the field of the message JobResult.
struct ExecResult {
  static constexpr std::string_view kName = "exec";
  int32_t exit_code = 0;      // 128 + signal when a signal ended it
  int32_t signal = 0;         // 0: exited by itself
  uint64_t output_bytes = 0;  // written by the command, kept or not
  friend bool operator==(const ExecResult&, const ExecResult&) = default;
};
struct FileChecksumResult {
  static constexpr std::string_view kName = "file_checksum";
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t skipped = 0;       // symbolic links and special files: never followed
  std::string xxh3;           // XXH3-128 of the manifest's lines, 32 hex digits
  std::string sha256;         // SHA-256 of the manifest's lines, 64 hex digits
  std::string manifest_path;  // empty: none was written
  friend bool operator==(const FileChecksumResult&, const FileChecksumResult&) = default;
};
struct FileCopyResult {
  static constexpr std::string_view kName = "file_copy";
  uint64_t bytes = 0;
  std::string xxh3;
  std::string sha256;
  friend bool operator==(const FileCopyResult&, const FileCopyResult&) = default;
};
struct SyntheticResult {
  static constexpr std::string_view kName = "synthetic";
  uint64_t operations = 0;  // tasks, blocks, or file operations
  uint64_t bytes = 0;
  std::string checksum;  // hexadecimal; equal for equal specs
  friend bool operator==(const SyntheticResult&, const SyntheticResult&) = default;
};
struct FileScrubResult {
  static constexpr std::string_view kName = "file_scrub";
  uint64_t files = 0;  // of the manifest, with those that an earlier attempt looked at
  uint64_t bytes = 0;
  uint64_t damaged = 0;     // another digest or another size
  uint64_t missing = 0;     // no regular file of that name
  uint64_t unreadable = 0;  // an error while it was opened or read
  uint64_t resumed_at = 0;  // files that were looked at before this attempt
  friend bool operator==(const FileScrubResult&, const FileScrubResult&) = default;
};
// Of file.compress and file.decompress.
struct FileCompressResult {
  static constexpr std::string_view kName = "file_compress";
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  std::string xxh3;  // XXH3-128 and SHA-256 of the content, uncompressed
  std::string sha256;
  friend bool operator==(const FileCompressResult&, const FileCompressResult&) = default;
};
struct PluginResult {
  static constexpr std::string_view kName = "plugin";
  std::string name;  // as the library says
  std::string version;
  std::string output;  // what it gave as its result
  friend bool operator==(const PluginResult&, const PluginResult&) = default;
};
// The store knows a result by its place: a new one goes to the end.
using JobResult = std::variant<std::monostate, ExecResult, FileChecksumResult, FileCopyResult,
                               SyntheticResult, FileScrubResult, FileCompressResult, PluginResult>;

// One function for each struct that names its fields: the codec and the conversion to messages walk
// it both ways. A name is that of the message's field; a duration has "_ns" behind it.
template <class V>
void fields(V& v, ExecSpec& s) {
  v("argv", s.argv);
  v("cwd", s.cwd);
  v("env", s.env);
  v("grace_ns", s.grace);
  v("cpu_time_max_ns", s.cpu_time_max);
  v("memory_max_bytes", s.memory_max_bytes);
  v("file_size_max_bytes", s.file_size_max_bytes);
  v("open_files_max", s.open_files_max);
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
void fields(V& v, FileScrubSpec& s) {
  v("path", s.path);
  v("manifest_path", s.manifest_path);
  v("bytes_per_second", s.bytes_per_second);
  v("progress_path", s.progress_path);
}
template <class V>
void fields(V& v, FileCompressSpec& s) {
  v("source", s.source);
  v("destination", s.destination);
  v("overwrite", s.overwrite);
  v("level", s.level);
}
template <class V>
void fields(V& v, FileDecompressSpec& s) {
  v("source", s.source);
  v("destination", s.destination);
  v("overwrite", s.overwrite);
  v("size_max_bytes", s.size_max_bytes);
}
template <class V>
void fields(V& v, SyntheticSpinSpec& s) {
  v("seed", s.seed);
  v("iterations", s.iterations);
  v("tasks", s.tasks);
}
template <class V>
void fields(V& v, SyntheticYieldSpec& s) {
  v("seed", s.seed);
  v("tasks", s.tasks);
  v("yields", s.yields);
}
template <class V>
void fields(V& v, SyntheticTimerSpec& s) {
  v("seed", s.seed);
  v("timers", s.timers);
  v("delay_max_ns", s.delay_max);
}
template <class V>
void fields(V& v, SyntheticChannelSpec& s) {
  v("seed", s.seed);
  v("messages", s.messages);
  v("producers", s.producers);
  v("consumers", s.consumers);
  v("capacity", s.capacity);
}
template <class V>
void fields(V& v, SyntheticFanoutSpec& s) {
  v("seed", s.seed);
  v("rounds", s.rounds);
  v("width", s.width);
  v("work", s.work);
}
template <class V>
void fields(V& v, SyntheticTcpSpec& s) {
  v("seed", s.seed);
  v("connections", s.connections);
  v("size_bytes", s.size_bytes);
  v("block_bytes", s.block_bytes);
}
template <class V>
void fields(V& v, TcpEchoSpec& s) {
  v("listen", s.listen);
  v("connections_max", s.connections_max);
  v("idle_timeout_ns", s.idle_timeout);
  v("drain_timeout_ns", s.drain_timeout);
}
template <class V>
void fields(V& v, TcpProxySpec& s) {
  v("listen", s.listen);
  v("target", s.target);
  v("connections_max", s.connections_max);
  v("idle_timeout_ns", s.idle_timeout);
  v("drain_timeout_ns", s.drain_timeout);
  v("connect_timeout_ns", s.connect_timeout);
}
template <class V>
void fields(V& v, PluginSpec& s) {
  v("name", s.name);
  v("arguments", s.arguments);
}
template <class V>
void fields(V& v, PluginResult& s) {
  v("name", s.name);
  v("version", s.version);
  v("output", s.output);
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
template <class V>
void fields(V& v, FileScrubResult& s) {
  v("files", s.files);
  v("bytes", s.bytes);
  v("damaged", s.damaged);
  v("missing", s.missing);
  v("unreadable", s.unreadable);
  v("resumed_at", s.resumed_at);
}
template <class V>
void fields(V& v, FileCompressResult& s) {
  v("bytes_read", s.bytes_read);
  v("bytes_written", s.bytes_written);
  v("xxh3", s.xxh3);
  v("sha256", s.sha256);
}

}  // namespace zokiod::model
