// SPDX-License-Identifier: Apache-2.0
// expect: spawn_blocking runs plain functions
#include "zokio/zokio.h"

using zokio::Task;

void use() {
#ifdef ZOKIO_FAIL
  auto task = zokio::spawn_blocking([]() -> Task<int> { co_return 1; });
#else
  auto task = zokio::spawn_blocking([] { return 1; });
#endif
}
