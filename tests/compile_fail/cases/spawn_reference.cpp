// SPDX-License-Identifier: Apache-2.0
// expect: argument 2 is a reference; a task may outlive it
#include "zokio/zokio.h"

using zokio::Task;

Task<void> add(int by, int& sum) {
  sum += by;
  co_return;
}

void use() {
  int sum = 0;
#ifdef ZOKIO_FAIL
  auto task = zokio::spawn(add, 1, sum);
#else
  auto task = zokio::spawn(add, 1, std::ref(sum));
#endif
}
