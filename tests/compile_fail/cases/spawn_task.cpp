// SPDX-License-Identifier: Apache-2.0
// expect: takes a callable and its arguments, not a Task
#include "zokio/zokio.h"

using zokio::Task;

Task<int> twice(int number) {
  co_return 2 * number;
}

void use(int number) {
#ifdef ZOKIO_FAIL
  auto task = zokio::spawn(twice(number));
#else
  auto task = zokio::spawn(twice, number);
#endif
}
