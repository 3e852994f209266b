// SPDX-License-Identifier: Apache-2.0
// expect: read-only variable is not assignable
#include "zokio/zokio.h"

using zokio::Task;

constinit zokio::TaskLocal<int> depth;

Task<void> use() {
#ifdef ZOKIO_FAIL
  *depth.get() = 2;
#else
  const int* now = depth.get();
  static_cast<void>(now);
#endif
  co_return;
}
