// SPDX-License-Identifier: Apache-2.0
#include "sched/dump.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>

#include "base/env.h"
#include "sched/json.h"
#include "sched/scheduler.h"
#include "sched/symbols.h"
#include "zokio/base/spin_lock.h"
#include "zokio/task/fork.h"
#include "zokio/task/promise.h"
#include "zokio/task/wait.h"

namespace zokio::sched {
namespace {

// The frame of a coroutine begins with the functions that resume and destroy it, and its promise
// comes next. So it is with every compiler that keeps to the common ABI of coroutines.
constexpr std::size_t kPromiseAt = 2 * sizeof(void*);

const char* root_frame(const task::Header* task) noexcept {
  return reinterpret_cast<const char*>(task) - kPromiseAt;
}
const task::Promise& promise_of(const char* frame) noexcept {
  return *reinterpret_cast<const task::Promise*>(frame + kPromiseAt);
}
bool is_frame(uintptr_t link) noexcept {
  return link != 0 && link % alignof(std::max_align_t) == 0;
}

bool is_branch(uintptr_t link) noexcept {
  return (link & task::kLinkBits) == task::kBranch;
}
// The frame that awaits a fork. Requires: the task is held in a wait.
uintptr_t awaiter_of_fork(uintptr_t link) noexcept {
  const auto* fork = reinterpret_cast<const task::Fork*>(link - task::kBranch);
  const auto parent = fork->left < 0 ? fork->held_back->parent : fork->parent;
  return reinterpret_cast<uintptr_t>(parent.address());
}

// The function that a frame resumes with. Of a frame that is not held it may be changed by its end
// meanwhile, plainly; the word is read whole.
__attribute__((no_sanitize_thread, no_sanitize_address, noinline)) const void* code_of(
    const char* frame) {
  return *reinterpret_cast<const void* const volatile*>(frame);
}

// Keeps a task in its wait.
class WaitHold : Pinned {
 public:
  explicit WaitHold(task::Header* task) noexcept : task_(task) {
    // A begin_wait() or a canceller is through soon; if not, this dump does without the task.
    for (int spins = 0; spins < 100; ++spins) {
      word_ = task->wait.load(std::memory_order_acquire);
      if (word_ == 0) return;
      // Ordering: acquire pairs with the store in begin_wait(); the frames are as it left them.
      if ((word_ & task::kWaitBits) == 0 &&
          task->wait.compare_exchange_weak(word_, word_ | task::kWaitInterrupt,
                                           std::memory_order_acquire, std::memory_order_relaxed))
        return;
      word_ = 0;
      busy_ = true;
      spin_pause(spins);
    }
  }
  // Ordering: release; the task that goes on sees that the dump is through with it.
  ~WaitHold() {
    if (word_ != 0) task_->wait.store(word_, std::memory_order_release);
  }
  // Null: it was not caught in a wait.
  const task::Wait* wait() const noexcept { return reinterpret_cast<const task::Wait*>(word_); }
  bool busy() const noexcept { return busy_; }

 private:
  task::Header* task_;
  uintptr_t word_ = 0;
  bool busy_ = false;
};

}  // namespace

TaskDump Dumper::run() {
  const int64_t begin = env::now_ns();
  const uint64_t alive = scheduler_.tasks_alive();
  scheduler_.registry().for_each([this](task::Header* task) {
    if (tasks_.size() >= options_.max_tasks) {
      truncated_ = true;
      return false;
    }
    look(task);
    return true;
  });
  TaskDump dump = name_all();
  dump.alive = alive;
  dump.truncated = truncated_;
  dump.longest_hold = longest_hold_;
  dump.took = Duration(env::now_ns() - begin);
  return dump;
}

// Requires: the registry holds the task.
void Dumper::look(task::Header* task) {
  Chain chain;
  const int64_t begin = env::now_ns();
  const char* waits_for = look_at_wait(task, chain);
  longest_hold_ = std::max(longest_hold_, Duration(env::now_ns() - begin));
  if (chain.depth == 0)
    if (const void* code = code_of(root_frame(task))) chain.code[chain.depth++] = code;
  const TaskRegistry& registry = scheduler_.registry();
  const uint32_t worker = waits_for == nullptr ? worker_of(task) : task::kNoWorker;
  tasks_.push_back({registry.id_of(task), registry.name_of(task), waits_for, worker, chain.depth,
                    chain.complete});
  codes_.insert(codes_.end(), chain.code.begin(), chain.code.begin() + chain.depth);
}

// What the task waits for, null for nothing, and the chain.
const char* Dumper::look_at_wait(task::Header* task, Chain& chain) {
  const WaitHold hold(task);
  if (hold.wait() == nullptr) return hold.busy() ? "something" : nullptr;
  walk(task, chain);
  return hold.wait()->ops->name;
}

// Requires: the task is held in a wait.
void Dumper::walk(task::Header* task, Chain& chain) {
  const char* const root = root_frame(task);
  const char* frame = static_cast<const char*>(task->resume_point.address());
  const unsigned most = std::min(options_.max_depth, kDumpDepth);
  while (chain.depth < most) {
    const void* code = code_of(frame);
    chain.code[chain.depth++] = code;
    if (frame == root) {
      chain.complete = true;
      return;
    }
    if (!ours_.contains(code) && !prove(frame, root)) break;
    uintptr_t link = promise_of(frame).link.load(std::memory_order_relaxed);
    if (is_branch(link)) link = awaiter_of_fork(link);
    if (!is_frame(link)) break;
    frame = reinterpret_cast<const char*>(link);
  }
  // The end of the chain is known all the same.
  const void* code = code_of(root);
  if (chain.depth == kDumpDepth)
    chain.code.back() = code;
  else
    chain.code[chain.depth++] = code;
}

// Whether the frames from `frame` to `root` all have a Promise; the functions are remembered then.
bool Dumper::prove(const char* frame, const char* root) {
  constexpr unsigned kLongest = 10'000;
  struct Copy {
    const void* code;
    const void* destroy;
    std::array<char, sizeof(task::Promise)> promise;
  };
  // Where link lies in it.
  static_assert(sizeof(task::Promise) == sizeof(task::Header) + sizeof(uintptr_t));
  static_assert(sizeof(Copy) == kPromiseAt + sizeof(task::Promise));
  std::vector<const void*> met;
  for (unsigned depth = 0; depth < kLongest; ++depth) {
    if (frame == root) {
      ours_.insert(met.begin(), met.end());
      return true;
    }
    Copy copy;
    const iovec into{&copy, sizeof(copy)};
    const iovec from{const_cast<char*>(frame), sizeof(copy)};
    if (::process_vm_readv(::getpid(), &into, 1, &from, 1, 0) != ssize_t{sizeof(copy)})
      return false;
    uintptr_t link = 0;
    std::copy_n(copy.promise.end() - sizeof(link), sizeof(link), reinterpret_cast<char*>(&link));
    if (is_branch(link)) {
      // As above, from memory that may be none.
      std::array<char, sizeof(task::Fork)> fork;
      const iovec there{reinterpret_cast<void*>(link - task::kBranch), fork.size()};
      const iovec here{fork.data(), fork.size()};
      if (::process_vm_readv(::getpid(), &here, 1, &there, 1, 0) != ssize_t{sizeof(fork)})
        return false;
      int32_t left = 0;
      std::copy_n(fork.data() + offsetof(task::Fork, left), sizeof(left),
                  reinterpret_cast<char*>(&left));
      if (left < 0) return false;
      std::copy_n(fork.data() + offsetof(task::Fork, parent), sizeof(link),
                  reinterpret_cast<char*>(&link));
    }
    if (!is_frame(link)) return false;
    met.push_back(copy.code);
    frame = reinterpret_cast<const char*>(link);
  }
  return false;
}

uint32_t Dumper::worker_of(const task::Header* task) const noexcept {
  for (uint32_t slot = 0; slot < scheduler_.slots_in_use(); ++slot)
    if (scheduler_.slot(slot)->view().current() == task) return slot;
  return task::kNoWorker;
}

TaskDump Dumper::name_all() const {
  Symbols& symbols = Symbols::instance();
  TaskDump dump;
  dump.tasks.reserve(tasks_.size());
  auto code = codes_.begin();
  // Most tasks are of few kinds.
  std::unordered_map<const void*, std::string_view> names;
  for (const Raw& raw : tasks_) {
    DumpedTask& task = dump.tasks.emplace_back();
    task.id = raw.id;
    task.name = raw.name;
    task.complete = raw.complete;
    if (raw.waits_for != nullptr) {
      task.state = TaskState::Waiting;
      task.waits_for = raw.waits_for;
    } else if (raw.worker != task::kNoWorker) {
      task.state = TaskState::Running;
      task.worker = raw.worker;
    }
    task.chain.reserve(raw.depth);
    for (unsigned i = 0; i < raw.depth; ++i, ++code) {
      auto [at, fresh] = names.try_emplace(*code);
      if (fresh) at->second = symbols.name(*code);
      task.chain.push_back(at->second);
    }
  }
  return dump;
}

}  // namespace zokio::sched

namespace zokio {
namespace {

std::string_view state_name(TaskState state) noexcept {
  switch (state) {
    case TaskState::Running:
      return "running";
    case TaskState::Ready:
      return "ready";
    case TaskState::Waiting:
      return "waiting";
  }
  return "";
}

}  // namespace

std::string TaskDump::to_text() const {
  std::string out =
      std::to_string(alive) + " tasks alive, " + std::to_string(tasks.size()) + " shown\n";
  for (const DumpedTask& task : tasks) {
    out += "task " + std::to_string(task.id);
    if (!task.name.empty()) out.append(" '").append(task.name).append("'");
    out.append(": ").append(state_name(task.state));
    if (task.state == TaskState::Running) out += " on worker " + std::to_string(task.worker);
    if (task.state == TaskState::Waiting) out.append(" for ").append(task.waits_for);
    out += '\n';
    for (std::size_t i = 0; i < task.chain.size(); ++i) {
      const bool last = i + 1 == task.chain.size();
      if (last && !task.complete && task.state == TaskState::Waiting) out += "    ...\n";
      out.append("    ").append(task.chain[i]).append("\n");
    }
  }
  return out;
}

std::string TaskDump::to_json() const {
  std::string out = "{\"alive\":" + std::to_string(alive) +
                    ",\"truncated\":" + (truncated ? "true" : "false") + ",\"tasks\":[";
  const char* comma = "";
  for (const DumpedTask& task : tasks) {
    out += comma;
    comma = ",";
    out += "{\"id\":" + std::to_string(task.id) + ",\"name\":";
    sched::append_json(out, task.name);
    out.append(",\"state\":\"").append(state_name(task.state)).append("\",\"worker\":");
    out += task.state == TaskState::Running ? std::to_string(task.worker) : "null";
    out += ",\"waits_for\":";
    if (task.state == TaskState::Waiting)
      sched::append_json(out, task.waits_for);
    else
      out += "null";
    out.append(",\"complete\":").append(task.complete ? "true" : "false").append(",\"chain\":[");
    const char* between = "";
    for (const std::string_view function : task.chain) {
      out += between;
      between = ",";
      sched::append_json(out, function);
    }
    out += "]}";
  }
  return out += "]}";
}

}  // namespace zokio
