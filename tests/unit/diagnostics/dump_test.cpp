// SPDX-License-Identifier: Apache-2.0
// What a dump says of tasks that stand still.

#include <coroutine>
#include <string>
#include <vector>

#include "diagnostics_fixture.h"
#include "gmock/gmock.h"
#include "zokio/fiber.h"
#include "zokio/net/tcp_listener.h"
#include "zokio/sync/oneshot.h"

namespace zokio {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Three coroutines that await each other, the innermost something that does not come.
template <class Wait>
Task<void> innermost(Wait* wait) {
  co_await (*wait)();
}
template <class Wait>
Task<void> middle(Wait* wait) {
  co_await innermost(wait);
}
template <class Wait>
Task<void> outermost(Wait* wait) {
  co_await middle(wait);
}

template <class Wait>
void expect_chain(Runtime& runtime, Wait wait, std::string_view what) {
  auto handle = runtime.spawn_named("chain", &outermost<Wait>, &wait);
  const TaskDump dump = dump_when_waiting(runtime, "chain", what);
  const DumpedTask& task = *find_task(dump, "chain");
  EXPECT_TRUE(task.complete);
  ASSERT_EQ(task.chain.size(), 3u) << dump.to_text();
  EXPECT_THAT(task.chain[0], HasSubstr("innermost<"));
  EXPECT_THAT(task.chain[1], HasSubstr("middle<"));
  EXPECT_THAT(task.chain[2], HasSubstr("outermost<"));
  EXPECT_EQ(task.id, handle.id());
  cancel_and_wait(handle);
}

TEST(Dump, ShowsWhoSleeps) {
  auto runtime = make_runtime(1);
  expect_chain(*runtime, [] { return sleep(std::chrono::hours(1)); }, "sleep");
}

TEST(Dump, ShowsWhoAwaitsAOneshot) {
  auto runtime = make_runtime(2);
  auto [sender, receiver] = sync::oneshot<int>();
  expect_chain(*runtime, [&receiver]() -> decltype(auto) { return receiver.recv(); }, "oneshot");
}

Task<void> sleep_long() {
  static_cast<void>(co_await sleep(std::chrono::hours(1)));
}

TEST(Dump, ShowsWhoJoins) {
  auto runtime = make_runtime(2);
  auto child = runtime->spawn_named("child", &sleep_long);
  expect_chain(*runtime, [&child]() -> JoinHandle<void>& { return child; }, "join");
  cancel_and_wait(child);
}

Task<void> accept_nobody() {
  Result<net::TcpListener> listener = net::TcpListener::bind(net::Address::loopback(0));
  if (!listener.has_value()) co_return;
  static_cast<void>(co_await listener->accept());
}

TEST(Dump, ShowsWhoWaitsForIo) {
  auto runtime = make_runtime(1);
  auto handle = runtime->spawn_named("accept", &accept_nobody);
  const TaskDump dump = dump_when_waiting(*runtime, "accept", "accept");
  const DumpedTask& task = *find_task(dump, "accept");
  EXPECT_TRUE(task.complete);
  EXPECT_THAT(short_chain(task), ElementsAre("accept", "accept_nobody"));
  cancel_and_wait(handle);
}

// Functions without parameters are named exactly.
Task<void> sleeper() {
  static_cast<void>(co_await sleep(std::chrono::hours(1)));
}
Task<void> caller() {
  co_await sleeper();
}

TEST(Dump, NamesFunctionsAsTheSourceDoes) {
  auto runtime = make_runtime(1);
  auto handle = runtime->spawn_named("exact", &caller);
  const TaskDump dump = dump_when_waiting(*runtime, "exact", "sleep");
  EXPECT_THAT(find_task(dump, "exact")->chain,
              ElementsAre("zokio::(anonymous namespace)::sleeper()",
                          "zokio::(anonymous namespace)::caller()"));
  cancel_and_wait(handle);
}

Stream<int> numbers() {
  static_cast<void>(co_await sleep(std::chrono::hours(1)));
  co_yield 1;
}
Task<void> consumer() {
  auto stream = numbers();
  static_cast<void>(co_await stream.next());
}

TEST(Dump, FollowsTheChainThroughAStream) {
  auto runtime = make_runtime(1);
  auto handle = runtime->spawn_named("stream", &consumer);
  const TaskDump dump = dump_when_waiting(*runtime, "stream", "sleep");
  EXPECT_THAT(short_chain(*find_task(dump, "stream")), ElementsAre("numbers", "consumer"));
  cancel_and_wait(handle);
}

// A coroutine of another library: its promise is none of ours, and it is lazy, too.
struct Foreign {
  struct promise_type {
    std::array<uintptr_t, 12> theirs;  // where ours has its words: looks like addresses, is none
    std::coroutine_handle<> continuation;

    promise_type() { theirs.fill(0x5a5a5a5a5a5a5a50); }
    Foreign get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct Final {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> h) noexcept {
        return h.promise().continuation;
      }
      void await_resume() noexcept {}
    };
    Final final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::abort(); }
  };
  std::coroutine_handle<promise_type> frame;

  bool await_ready() { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) {
    frame.promise().continuation = h;
    return frame;
  }
  void await_resume() { frame.destroy(); }
};

Foreign foreign() {
  static_cast<void>(co_await sleep(std::chrono::hours(1)));
}
Task<void> calls_foreign() {
  co_await foreign();
}

TEST(Dump, SaysThatAChainOfAnotherLibraryHasAGap) {
  auto runtime = make_runtime(1);
  auto handle = runtime->spawn_named("foreign", &calls_foreign);
  const TaskDump dump = dump_when_waiting(*runtime, "foreign", "sleep");
  const DumpedTask& task = *find_task(dump, "foreign");
  EXPECT_FALSE(task.complete);
  EXPECT_THAT(short_chain(task), ElementsAre("foreign", "calls_foreign"));
  EXPECT_THAT(dump.to_text(), HasSubstr("..."));
  cancel_and_wait(handle);
}

Task<void> on_fiber() {
  static_cast<void>(
      co_await fiber([] { static_cast<void>(fiber_await(sleep(std::chrono::hours(1)))); }));
}

TEST(Dump, ShowsAFiberAsTheCoroutineThatDrivesIt) {
  auto runtime = make_runtime(1);
  auto handle = runtime->spawn_named("fiber", &on_fiber);
  const TaskDump dump = dump_when_waiting(*runtime, "fiber", "sleep");
  const DumpedTask& task = *find_task(dump, "fiber");
  EXPECT_TRUE(task.complete);
  EXPECT_EQ(short_chain(task).back(), "on_fiber");
  cancel_and_wait(handle);
}

Task<void> spin_until(std::atomic<bool>* stop) {
  while (!stop->load()) cpu_relax();
  co_return;
}
Task<void> nothing() {
  co_return;
}

TEST(Dump, TellsRunningFromReady) {
  auto runtime = make_runtime(1);
  std::atomic<bool> stop{false};
  auto busy = runtime->spawn_named("busy", &spin_until, &stop);
  TaskDump dump;
  await_that([&] {
    dump = runtime->dump();
    const DumpedTask* task = find_task(dump, "busy");
    return task != nullptr && task->state == TaskState::Running;
  });
  auto behind = runtime->spawn_named("behind", &nothing);
  dump = runtime->dump();
  EXPECT_EQ(find_task(dump, "busy")->worker, 0u);
  EXPECT_EQ(find_task(dump, "behind")->state, TaskState::Ready);
  EXPECT_THAT(short_chain(*find_task(dump, "behind")), ElementsAre("nothing"));
  stop = true;
  static_cast<void>(busy.wait());
  static_cast<void>(behind.wait());
}

Task<void> wait_for_children(int depth) {
  if (depth == 0)
    static_cast<void>(co_await sleep(std::chrono::hours(1)));
  else
    static_cast<void>(co_await when_all(wait_for_children(depth - 1)));
}

TEST(Dump, AWaitThatCannotBeCancelledHasANameToo) {
  auto runtime = make_runtime(2);
  auto handle = runtime->spawn_named("parent", &wait_for_children, 1);
  const TaskDump dump = dump_when_waiting(*runtime, "parent", "join");
  EXPECT_TRUE(find_task(dump, "parent")->complete);
  cancel_and_wait(handle);
}

Task<void> recurse(int depth) {
  if (depth > 0)
    co_await recurse(depth - 1);
  else
    static_cast<void>(co_await sleep(std::chrono::hours(1)));
}

TEST(Dump, ALongChainIsCutAndSaysSo) {
  auto runtime = make_runtime(1);
  auto handle = runtime->spawn_named("deep", &recurse, 500);
  const TaskDump dump = dump_when_waiting(*runtime, "deep", "sleep");
  EXPECT_EQ(find_task(dump, "deep")->chain.size(), kDumpDepth);
  EXPECT_FALSE(find_task(dump, "deep")->complete);
  cancel_and_wait(handle);
}

TEST(Dump, TakesNoMoreTasksThanAsked) {
  auto runtime = make_runtime(1);
  std::vector<JoinHandle<void>> handles;
  for (int i = 0; i < 20; ++i) handles.push_back(runtime->spawn_named("many", &sleep_long));
  dump_when_waiting(*runtime, "many", "sleep");
  DumpOptions options;
  options.max_tasks = 5;
  const TaskDump dump = runtime->dump(options);
  EXPECT_EQ(dump.tasks.size(), 5u);
  EXPECT_EQ(dump.alive, 20u);
  EXPECT_TRUE(dump.truncated);
  for (auto& handle : handles) handle.cancel();
  for (auto& handle : handles) static_cast<void>(handle.wait());
}

TEST(Dump, JsonIsQuoted) {
  TaskDump dump;
  dump.alive = 1;
  DumpedTask& task = dump.tasks.emplace_back();
  task.id = 7;
  task.name = "a \"b\"\n";
  task.state = TaskState::Waiting;
  task.waits_for = "read";
  task.chain = {"f()", "g()"};
  EXPECT_EQ(dump.to_json(),
            "{\"alive\":1,\"truncated\":false,\"tasks\":[{\"id\":7,\"name\":\"a \\\"b\\\"\\u000a\","
            "\"state\":\"waiting\",\"worker\":null,\"waits_for\":\"read\",\"complete\":false,"
            "\"chain\":[\"f()\",\"g()\"]}]}");
}

}  // namespace
}  // namespace zokio
