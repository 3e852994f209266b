// SPDX-License-Identifier: Apache-2.0
// expect: argument 1 is a view
#include "zokio/zokio.h"

using zokio::Task;

#include <tuple>

template <class... T>
Task<void> take(std::tuple<T...> all) {
  static_cast<void>(all);
  co_return;
}

void use(int a, int b) {
#ifdef ZOKIO_FAIL
  auto task = zokio::spawn(take<int&, int&>, std::tie(a, b));
#else
  auto task = zokio::spawn(take<int, int>, std::tuple(a, b));
#endif
}
