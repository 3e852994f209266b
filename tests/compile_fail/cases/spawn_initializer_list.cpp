// SPDX-License-Identifier: Apache-2.0
// expect: argument 1 is a view
#include "zokio/zokio.h"

using zokio::Task;

Task<void> sum(std::vector<int> numbers) {
  static_cast<void>(numbers);
  co_return;
}

void use() {
  auto numbers = {1, 2, 3};
#ifdef ZOKIO_FAIL
  auto task = zokio::spawn(sum, numbers);
#else
  auto task = zokio::spawn(sum, std::vector<int>(numbers));
#endif
}
