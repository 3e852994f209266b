// SPDX-License-Identifier: Apache-2.0
// expect: no member named 'await_ready'
#include "zokio/zokio.h"

using zokio::Task;

Task<int> number() {
  co_return 1;
}
Task<int> use() {
  auto task = number();
#ifdef ZOKIO_FAIL
  co_return co_await task;
#else
  co_return co_await std::move(task);
#endif
}
