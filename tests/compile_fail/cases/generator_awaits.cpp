// SPDX-License-Identifier: Apache-2.0
// expect: call to deleted member function 'await_transform'
#include "zokio/zokio.h"

using zokio::Task;

zokio::Generator<int> numbers() {
#ifdef ZOKIO_FAIL
  co_await zokio::yield_now();
#endif
  co_yield 1;
}
