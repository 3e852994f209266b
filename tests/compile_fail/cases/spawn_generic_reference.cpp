// SPDX-License-Identifier: Apache-2.0
// expect: the callable takes an argument by reference
#include "zokio/zokio.h"

using zokio::Task;

void use(int number) {
#ifdef ZOKIO_FAIL
  auto task = zokio::spawn(
      [](auto& n) -> Task<void> {
        ++n;
        co_return;
      },
      number);
#else
  auto task = zokio::spawn(
      [](auto n) -> Task<void> {
        ++n;
        co_return;
      },
      number);
#endif
}
