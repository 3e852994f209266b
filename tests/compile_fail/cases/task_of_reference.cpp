// SPDX-License-Identifier: Apache-2.0
// expect: a Task returns values; return a pointer instead
#include "zokio/zokio.h"

using zokio::Task;

#ifdef ZOKIO_FAIL
Task<int&> pick(int& n) {
  co_return n;
}
#else
Task<int*> pick(int& n) {
  co_return &n;
}
#endif
