// SPDX-License-Identifier: Apache-2.0
// expect: takes a callable and its arguments, not a Task
#include "zokio/zokio.h"

using zokio::Task;

void use(int number) {
#ifdef ZOKIO_FAIL
  auto task = zokio::spawn([number]() -> Task<int> { co_return number; }());
#else
  auto task = zokio::spawn([](int n) -> Task<int> { co_return n; }, number);
#endif
}
