// SPDX-License-Identifier: Apache-2.0
// expect: the callable cannot be called with these arguments
#include "zokio/zokio.h"

using zokio::Task;

Task<void> two(int, int) {
  co_return;
}

void use() {
#ifdef ZOKIO_FAIL
  auto task = zokio::spawn(two, 1);
#else
  auto task = zokio::spawn(two, 1, 2);
#endif
}
