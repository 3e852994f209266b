// SPDX-License-Identifier: Apache-2.0
// expect: argument 1 is a view
#include "zokio/zokio.h"

using zokio::Task;

#include <span>

Task<void> sum(std::span<const int> numbers) {
  static_cast<void>(numbers);
  co_return;
}

void use(const std::vector<int>& numbers) {
#ifdef ZOKIO_FAIL
  auto task = zokio::spawn(sum, std::span<const int>(numbers));
#else
  auto task = zokio::spawn(sum, numbers);
#endif
}
