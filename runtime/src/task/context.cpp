// SPDX-License-Identifier: Apache-2.0
#include "zokio/task/context.h"

namespace zokio::task {

#if defined(__x86_64__) && !defined(ZOKIO_MODEL)

constinit thread_local Context thread_context;

#else

namespace {
constinit thread_local Context thread_context;
}

[[gnu::noinline]] Context& context() noexcept {
  Context* address = &thread_context;
  asm volatile("" : "+r"(address));
  return *address;
}

#endif

}  // namespace zokio::task
