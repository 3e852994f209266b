// SPDX-License-Identifier: Apache-2.0
// expect: the callable does not return a zokio::Task
#include "zokio/zokio.h"

using zokio::Task;

void use() {
#ifdef ZOKIO_FAIL
  auto task = zokio::spawn([](int n) { return n; }, 1);
#else
  auto task = zokio::spawn_blocking([](int n) { return n; }, 1);
#endif
}
