// SPDX-License-Identifier: Apache-2.0
#pragma once

// A runtime, and ways to wait until a dump shows what it should.

#include <algorithm>
#include <functional>
#include <memory>
#include <thread>

#include "gtest/gtest.h"
#include "zokio/zokio.h"

namespace zokio {

inline std::unique_ptr<Runtime> make_runtime(unsigned workers, RuntimeOptions options = {}) {
  options.workers = workers;
  options.backend = Backend::Epoll;
  auto runtime = Runtime::create(options);
  if (!runtime.has_value()) std::abort();
  return *std::move(runtime);
}

// Until it holds; the test's own time limit is the bound.
inline void await_that(const std::function<bool()>& holds) {
  while (!holds()) std::this_thread::yield();
}

template <class T>
void cancel_and_wait(JoinHandle<T>& handle) {
  handle.cancel();
  static_cast<void>(handle.wait());
}

inline const DumpedTask* find_task(const TaskDump& dump, std::string_view name) {
  const auto at = std::ranges::find(dump.tasks, name, &DumpedTask::name);
  return at != dump.tasks.end() ? &*at : nullptr;
}

// A dump in which the named task waits for `what` ("": anything).
inline TaskDump dump_when_waiting(const Runtime& runtime, std::string_view name,
                                  std::string_view what) {
  TaskDump dump;
  await_that([&] {
    dump = runtime.dump();
    const DumpedTask* task = find_task(dump, name);
    return task != nullptr && task->state == TaskState::Waiting &&
           (what.empty() || task->waits_for == what);
  });
  return dump;
}

// "zokio::(anonymous namespace)::inner(int)" -> "inner"
inline std::string short_name(std::string_view function) {
  function = function.substr(0, function.find('('));
  if (const auto space = function.rfind("::"); space != std::string_view::npos)
    function.remove_prefix(space + 2);
  return std::string(function);
}

inline std::vector<std::string> short_chain(const DumpedTask& task) {
  std::vector<std::string> out;
  for (std::string_view function : task.chain) {
    const std::string_view anonymous = "(anonymous namespace)::";
    std::string plain(function);
    for (auto at = plain.find(anonymous); at != std::string::npos; at = plain.find(anonymous))
      plain.erase(at, anonymous.size());
    out.push_back(short_name(plain));
  }
  return out;
}

}  // namespace zokio
