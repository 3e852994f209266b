// SPDX-License-Identifier: Apache-2.0
// expect: argument 2 is a view
#include "zokio/zokio.h"

using zokio::Task;

Task<void> print(int, std::string text) {
  static_cast<void>(text);
  co_return;
}

void use(zokio::Runtime& runtime, std::string_view text) {
#ifdef ZOKIO_FAIL
  auto task = runtime.spawn(print, 1, text);
#else
  auto task = runtime.spawn(print, 1, std::string(text));
#endif
}
