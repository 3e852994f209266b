// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <algorithm>
#include <array>

#include "config/config.h"
#include "config/units.h"

namespace zokiod::config {
namespace {

constexpr std::array<std::string_view, 3> kBackends = {"auto", "uring", "epoll"};
constexpr std::array<std::string_view, 2> kAutosizes = {"off", "cgroup"};
constexpr std::array<std::string_view, 3> kBuffersFull = {"fail", "wait", "overflow"};
constexpr std::array<std::string_view, 2> kHeapFull = {"fail", "overflow"};
constexpr std::array<std::string_view, 2> kPlacements = {"inline", "dedicated"};
constexpr std::array<std::string_view, 6> kLevels = {"trace", "debug", "info",
                                                     "warn",  "error", "off"};

#define ZOKIOD_REF(member) [](Config& c) -> FieldRef { return &c.member; }

constexpr uint64_t kMillisecond = 1'000'000;
constexpr uint64_t kHour = 3600ull * 1'000'000'000;

const std::array kFields = {
    Field{"workers", Takes::Live, "threads",
          "Threads that run tasks. 0: as many as cores this process may use.", ZOKIOD_REF(workers),
          0, 256},
    Field{"reactors", Takes::Live, "reactors",
          "Rings or epoll sets that serve I/O. 0: one for each worker, at most 4.",
          ZOKIOD_REF(reactors), 0, 64},
    Field{
        "autosize", Takes::Restart, "",
        "cgroup: fewer workers while the quota of the cgroup pays for fewer processors, all pools\n"
        "together at most four fifths of its memory, and a trim while it is short of memory.\n"
        "off: as many and as much as asked for.",
        ZOKIOD_REF(autosize), 0, 0, kAutosizes},
    Field{"memory_limit", Takes::Live, "bytes",
          "Cap of all pools of the runtime together. 0: none.", ZOKIOD_REF(memory_limit)},
    Field{"state_dir", Takes::Restart, "",
          "Directory of the job store and of scratch files. It is made when it is missing.",
          ZOKIOD_REF(state_dir)},

    Field{"io.backend", Takes::Restart, "",
          "auto: io_uring when the kernel allows it, else epoll, with the reason in\n"
          "`zokioctl stats`. uring: refuse to start without it. epoll: never use io_uring.",
          ZOKIOD_REF(io.backend), 0, 0, kBackends},
    Field{"io.placement", Takes::Restart, "",
          "inline: workers poll reactors between tasks. dedicated: each reactor has its thread.",
          ZOKIOD_REF(io.placement), 0, 0, kPlacements},
    Field{"io.ring_entries", Takes::Live, "entries",
          "Size of a reactor's submission queue, rounded up to a power of two. No effect on epoll.",
          ZOKIOD_REF(io.ring_entries), 32, 4096},
    Field{"io.receive_buffers", Takes::Live, "buffers",
          "Buffers of 4 KiB that receives pick from, of each ring; rounded up likewise.",
          ZOKIOD_REF(io.receive_buffers), 2, 32768},
    Field{"io.blocking_threads", Takes::Restart, "threads",
          "Threads for calls that block, at most; started when needed.",
          ZOKIOD_REF(io.blocking_threads), 1, 512},

    Field{"pools.frames_limit", Takes::Live, "bytes",
          "Cap of the pool of coroutine frames. 0: none.", ZOKIOD_REF(pools.frames_limit)},
    Field{"pools.buffers_limit", Takes::Live, "bytes", "Cap of the pool of I/O buffers. 0: none.",
          ZOKIOD_REF(pools.buffers_limit)},
    Field{"pools.heap_limit", Takes::Live, "bytes",
          "Cap of the pool of other objects that the runtime allocates. 0: none.",
          ZOKIOD_REF(pools.heap_limit)},
    Field{"pools.frames_thread_cache", Takes::Live, "bytes",
          "Free frames that the cache of one thread keeps, at most. 0: by itself. 1: none.",
          ZOKIOD_REF(pools.frames_thread_cache)},
    Field{"pools.buffers_thread_cache", Takes::Live, "bytes",
          "Free buffers that the cache of one thread keeps, at most. 0: by itself. 1: none.",
          ZOKIOD_REF(pools.buffers_thread_cache)},
    Field{"pools.heap_thread_cache", Takes::Live, "bytes",
          "Other free objects that the cache of one thread keeps, at most. 0: by itself. 1: none.",
          ZOKIOD_REF(pools.heap_thread_cache)},
    Field{"pools.frames_central_cache", Takes::Live, "bytes",
          "Free frames that are kept for all threads, at most. 0: by itself. 1: none.",
          ZOKIOD_REF(pools.frames_central_cache)},
    Field{"pools.buffers_central_cache", Takes::Live, "bytes",
          "Free buffers that are kept for all threads, at most. 0: by itself. 1: none.",
          ZOKIOD_REF(pools.buffers_central_cache)},
    Field{"pools.heap_central_cache", Takes::Live, "bytes",
          "Other free objects that are kept for all threads, at most. 0: by itself. 1: none.",
          ZOKIOD_REF(pools.heap_central_cache)},
    Field{
        "pools.buffers_when_full", Takes::Live, "",
        "What happens to a request for a buffer when a limit leaves no room. wait: tasks that can\n"
        "wait do, the others fail. overflow: it is served and counted. Frames always overflow.",
        ZOKIOD_REF(pools.buffers_when_full), 0, 0, kBuffersFull},
    Field{"pools.heap_when_full", Takes::Live, "", "The same for other objects.",
          ZOKIOD_REF(pools.heap_when_full), 0, 0, kHeapFull},
    Field{"pools.decay", Takes::Live, "",
          "Free memory that nobody needed for this long is back with the system. 0s: it is kept.",
          ZOKIOD_REF(pools.decay), 0, kHour},
    Field{"pools.huge_pages", Takes::Live, "",
          "Whether objects of 2 MiB and more ask the kernel for huge pages.",
          ZOKIOD_REF(pools.huge_pages)},

    Field{"rpc.runtime_dir", Takes::Restart, "",
          "Directory of the control socket zokiod.sock. It is made when it is missing.",
          ZOKIOD_REF(rpc.runtime_dir)},
    Field{"rpc.socket_mode", Takes::Restart, "", "Permissions of the control socket, octal.",
          ZOKIOD_REF(rpc.socket_mode)},
    Field{"rpc.socket_group", Takes::Restart, "",
          "Group of the control socket. Empty: the daemon's own.", ZOKIOD_REF(rpc.socket_group)},
    Field{"rpc.message_limit", Takes::Restart, "bytes", "Largest request that is read.",
          ZOKIOD_REF(rpc.message_limit), 64ull << 10, 64ull << 20},
    Field{"rpc.reflection", Takes::Restart, "",
          "Whether clients may ask for the list of methods and messages.",
          ZOKIOD_REF(rpc.reflection)},

    Field{"http.address", Takes::Restart, "",
          "Address and port of /metrics, /livez, /readyz and the status page. Port 0: any free\n"
          "one, named in the log. Empty: no HTTP. There is no authentication: keep it on loopback\n"
          "or behind a network policy.",
          ZOKIOD_REF(http.address)},

    Field{"jobs.concurrency", Takes::Live, "jobs",
          "Jobs that run at a time. 0: four for each worker the daemon starts with.",
          ZOKIOD_REF(jobs.concurrency), 0, 100'000},
    Field{"jobs.queue_limit", Takes::Live, "jobs",
          "Jobs that are not finished; a submit beyond it is refused with QUEUE_FULL.",
          ZOKIOD_REF(jobs.queue_limit), 1, 10'000'000},
    Field{"jobs.retain_finished", Takes::Live, "jobs",
          "Finished jobs that are kept, the newest. A request_id is remembered with its job.",
          ZOKIOD_REF(jobs.retain_finished), 1, 10'000'000},
    Field{"jobs.output_limit", Takes::Live, "bytes",
          "Captured output that is kept of an attempt, its end.", ZOKIOD_REF(jobs.output_limit), 0,
          16ull << 20},
    Field{
        "jobs.drain_timeout", Takes::Live, "",
        "How long SIGTERM waits for running jobs before it interrupts them. Interrupted jobs run\n"
        "again at the next start. Keep it below TimeoutStopSec of the unit.",
        ZOKIOD_REF(jobs.drain_timeout), 0, 24 * kHour},
    Field{"jobs.queues", Takes::Live, "",
          "Named queues, besides \"default\", which may be listed, too. One line each, such as\n"
          "\"bulk shares=50 concurrency=4 rate=10/s burst=5 size_limit=1000 priority=-1\".\n"
          "A queue follows its line when the line changes; what `zokioctl queue` changed since\n"
          "stays. One whose line is gone stays until `zokioctl queue delete`.",
          ZOKIOD_REF(jobs.queues)},

    Field{"policy.exec.enabled", Takes::Live, "",
          "Whether jobs may run commands, as the daemon's user.", ZOKIOD_REF(policy.exec_enabled)},
    Field{"policy.exec.env", Takes::Live, "",
          "Variables of the daemon's own environment that commands see. All others are hidden.",
          ZOKIOD_REF(policy.exec_env)},
    Field{"policy.roots", Takes::Live, "",
          "Directories that file jobs may read and write, with everything below. Empty: none.",
          ZOKIOD_REF(policy.roots)},
    Field{"policy.listen", Takes::Live, "",
          "Addresses that tcp.echo and tcp.proxy may listen on: networks such as \"127.0.0.0/8\".\n"
          "Empty: none.",
          ZOKIOD_REF(policy.listen)},
    Field{"policy.connect", Takes::Live, "",
          "Addresses that jobs may connect to: networks, or \"public\" for the internet without\n"
          "private, link-local and other special addresses. Asked at each connect. Empty: none.",
          ZOKIOD_REF(policy.connect)},
    Field{"policy.plugins", Takes::Live, "",
          "Shared libraries that jobs of kind plugin may name: \"NAME SHA256 PATH\" each. They run "
          "in\n"
          "the daemon, with its rights. Empty: none.",
          ZOKIOD_REF(policy.plugins)},
    Field{"policy.allowed_uids", Takes::Live, "",
          "Users that may call over the socket besides root and the daemon's own, by number.",
          ZOKIOD_REF(policy.allowed_uids)},
    Field{"policy.allowed_gids", Takes::Live, "",
          "Groups whose members may call over the socket, by number.",
          ZOKIOD_REF(policy.allowed_gids)},

    Field{"soak.allow_faults", Takes::Restart, "",
          "Whether a soak may break things on purpose, to show that it is noticed.",
          ZOKIOD_REF(soak.allow_faults)},

    Field{"log.level", Takes::Live, "", "Least severe message that is written.",
          ZOKIOD_REF(log.level), 0, 0, kLevels},
};
static_assert(kMillisecond < kHour);

#undef ZOKIOD_REF

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

struct ToToml {
  std::string operator()(const bool* v) const { return *v ? "true" : "false"; }
  std::string operator()(const uint32_t* v) const { return std::to_string(*v); }
  std::string operator()(const Bytes* v) const {
    const std::string text = format_bytes(*v);
    return text.find_first_not_of("0123456789") == std::string::npos ? text : quote(text);
  }
  std::string operator()(const Span* v) const { return quote(format_span(*v)); }
  std::string operator()(const std::string* v) const { return quote(*v); }
  std::string operator()(const std::vector<std::string>* v) const {
    std::string out;
    for (const auto& item : *v) out += (out.empty() ? "" : ", ") + quote(item);
    return "[" + out + "]";
  }
  std::string operator()(const std::vector<uint32_t>* v) const {
    std::string out;
    for (const uint32_t item : *v) out += (out.empty() ? "" : ", ") + std::to_string(item);
    return "[" + out + "]";
  }
};

std::string_view table_of(std::string_view key) {
  const size_t dot = key.rfind('.');
  return dot == std::string_view::npos ? std::string_view{} : key.substr(0, dot);
}

void append_comment(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    out += "# ";
    out += text.substr(0, end);
    out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

std::span<const Field> fields() {
  return kFields;
}

const Field* find_field(std::string_view key) {
  const auto it = std::ranges::find(kFields, key, &Field::key);
  return it == kFields.end() ? nullptr : &*it;
}

std::string to_toml(const Field& field, const Config& config) {
  Config copy = config;  // the rows hand out mutable places
  return std::visit(ToToml{}, field.ref(copy));
}

std::string default_file() {
  std::string out =
      "# zokiod.toml: configuration of zokiod. Every key stands here with its default.\n"
      "# live: a reload (SIGHUP, `zokioctl reload`) applies it. restart: needs a new start.\n"
      "# Check a file without starting: zokiod --config FILE --check-config\n";
  std::string_view table;
  const Config defaults;
  for (const Field& field : kFields) {
    const std::string_view own = table_of(field.key);
    if (own != table) {
      table = own;
      out += fmt::format("\n[{}]\n", table);
    } else {
      out += '\n';
    }
    append_comment(out, field.text);
    std::string tags = field.takes == Takes::Live ? "live" : "restart";
    if (!field.unit.empty()) tags = fmt::format("{}; {}", field.unit, tags);
    for (size_t i = 0; i < field.choices.size(); ++i)
      tags += (i == 0 ? "; one of " : ", ") + std::string(field.choices[i]);
    append_comment(out, "(" + tags + ")");
    const std::string_view name = own.empty() ? field.key : field.key.substr(own.size() + 1);
    out += fmt::format("#{} = {}\n", name, to_toml(field, defaults));
  }
  return out;
}

}  // namespace zokiod::config
