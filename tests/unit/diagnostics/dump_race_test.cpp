// SPDX-License-Identifier: Apache-2.0
// Dumps beside tasks that begin, wake, are cancelled and end. For the sanitizers above all: a dump
// that did not hold a task in its wait would read frames that are gone.

#include <atomic>
#include <thread>
#include <vector>

#include "diagnostics_fixture.h"
#include "zokio/base/sanitizer.h"
#include "zokio/sync/oneshot.h"

namespace zokio {
namespace {

constexpr int kRounds = kSanitized ? 300 : 2'000;

Task<int> leaf(sync::OneshotReceiver<int> receiver) {
  const Result<int> got = co_await receiver.recv();
  co_return got.value_or(-1);
}
// Frames of many sizes, freed as the chain is left.
Task<int> deeper(sync::OneshotReceiver<int> receiver, int depth) {
  std::array<char, 256> filler;
  filler.fill(static_cast<char>(depth));
  const int got = depth == 0 ? co_await leaf(std::move(receiver))
                             : co_await deeper(std::move(receiver), depth - 1);
  co_return got + (filler[static_cast<std::size_t>(depth)] - depth);
}
Task<int> short_sleeps(int times) {
  for (int i = 0; i < times; ++i) static_cast<void>(co_await sleep(std::chrono::microseconds(50)));
  co_return times;
}

// One round: tasks that are woken from outside, tasks that are cancelled, tasks that wake by time.
Task<void> round(int number) {
  std::vector<sync::OneshotSender<int>> senders;
  std::vector<JoinHandle<int>> handles;
  for (int i = 0; i < 12; ++i) {
    auto [sender, receiver] = sync::oneshot<int>();
    senders.push_back(std::move(sender));
    handles.push_back(spawn(&deeper, std::move(receiver), (number + i) % 5));
  }
  handles.push_back(spawn(&short_sleeps, 3));
  co_await yield_now();
  for (std::size_t i = 0; i < senders.size(); ++i) {
    if (i % 3 == 0)
      handles[i].cancel();
    else
      senders[i].send(static_cast<int>(i));
  }
  for (auto& handle : handles) static_cast<void>(co_await handle);
}

Task<void> rounds(int count) {
  for (int i = 0; i < count; ++i) co_await round(i);
}

void dump_until(const Runtime& runtime, const std::atomic<bool>& stop,
                std::atomic<uint64_t>* seen) {
  while (!stop.load()) {
    const TaskDump dump = runtime.dump();
    for (const DumpedTask& task : dump.tasks) {
      // One that could not be held in its wait has no chain, or ended meanwhile.
      if (task.state != TaskState::Waiting || task.waits_for == "something") continue;
      auto chain = short_chain(task);
      // The coroutine that spawn() puts around one whose arguments have destructors.
      if (task.chain.back().find("keep_alive") != std::string::npos) chain.pop_back();
      if (chain.empty()) continue;
      if (chain.back() == "deeper") {
        // Every chain is one of those that exist: recv(), leaf(), deeper() and so on.
        EXPECT_TRUE(task.complete) << dump.to_text();
        EXPECT_GE(std::ranges::count(chain, "deeper"), 1) << dump.to_text();
        EXPECT_EQ(std::ranges::count(chain, "leaf"), 1) << dump.to_text();
        ++*seen;
      }
    }
  }
}

TEST(DumpRace, WakingCancellingAndEnding) {
  auto runtime = make_runtime(2);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> seen{0};
  std::thread first([&] { dump_until(*runtime, stop, &seen); });
  std::thread second([&] { dump_until(*runtime, stop, &seen); });
  auto a = runtime->spawn(&rounds, kRounds / 2);
  auto b = runtime->spawn(&rounds, kRounds / 2);
  static_cast<void>(a.wait());
  static_cast<void>(b.wait());
  stop = true;
  first.join();
  second.join();
  EXPECT_GT(seen.load(), 0u);
}

// A cancel that meets a dump waits for it and is delivered all the same.
TEST(DumpRace, NoCancelIsLost) {
  auto runtime = make_runtime(2);
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> seen{0};
  std::thread dumper([&] { dump_until(*runtime, stop, &seen); });
  for (int i = 0; i < kRounds; ++i) {
    auto [sender, receiver] = sync::oneshot<int>();
    auto handle = runtime->spawn(&deeper, std::move(receiver), 2);
    handle.cancel();
    EXPECT_EQ(handle.wait().value_or(0), -1);
  }
  stop = true;
  dumper.join();
}

}  // namespace
}  // namespace zokio
