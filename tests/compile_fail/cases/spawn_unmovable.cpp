// SPDX-License-Identifier: Apache-2.0
// expect: argument 1 cannot be moved into the task
#include "zokio/zokio.h"

using zokio::Task;

#include <mutex>

Task<void> lock(std::mutex& mutex) {
  std::scoped_lock guard(mutex);
  co_return;
}
Task<void> look(const std::mutex& mutex) {
  static_cast<void>(mutex);
  co_return;
}

void use(std::mutex& mutex) {
#ifdef ZOKIO_FAIL
  auto task = zokio::spawn(look, mutex);
#else
  auto task = zokio::spawn(lock, std::ref(mutex));
#endif
}
