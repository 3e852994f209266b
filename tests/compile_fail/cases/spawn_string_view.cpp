// SPDX-License-Identifier: Apache-2.0
// expect: argument 1 is a view
#include "zokio/zokio.h"

using zokio::Task;

Task<void> print(std::string_view text) {
  static_cast<void>(text);
  co_return;
}

void use(std::string_view text) {
#ifdef ZOKIO_FAIL
  auto task = zokio::spawn(print, text);
#else
  auto task = zokio::spawn(print, std::string(text));
#endif
}
