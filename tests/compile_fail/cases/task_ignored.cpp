// SPDX-License-Identifier: Apache-2.0
// expect: a Task does nothing until it is awaited
#include "zokio/zokio.h"

using zokio::Task;

Task<int> number() {
  co_return 1;
}
Task<void> use() {
#ifdef ZOKIO_FAIL
  number();
#else
  co_await number();
#endif
  co_return;
}
