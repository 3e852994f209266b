// SPDX-License-Identifier: Apache-2.0
// Starts the installed runtime, runs a few tasks on it, and adds up what they return.

#include <zokio/fiber.h>
#include <zokio/zokio.h>

#include <cstdio>
#include <vector>

namespace {

zokio::Task<int> square(int value) {
  (void)co_await zokio::sleep(std::chrono::milliseconds(1));  // nobody cancels it here
  co_return value* value;
}

}  // namespace

int main() {
  auto runtime = zokio::Runtime::create();
  if (!runtime) return 1;
  std::vector<zokio::JoinHandle<int>> handles;
  for (int i = 1; i <= 10; ++i) handles.push_back((*runtime)->spawn(square, i));
  const auto sum = (*runtime)->block_on(
      [](std::vector<zokio::JoinHandle<int>> all) -> zokio::Task<int> {
        int total = 0;
        for (auto& handle : all) {
          auto value = co_await std::move(handle);
          total += value ? *value : 1000;
        }
        // And once from a function that is no coroutine.
        auto on_fiber = co_await zokio::fiber([] { return zokio::fiber_await(square(0)); });
        total += on_fiber ? *on_fiber : 1000;
        co_return total;
      },
      std::move(handles));
  if (!sum) return 1;
  std::printf("sum of squares: %d\n", *sum);
  return *sum == 385 ? 0 : 1;
}
