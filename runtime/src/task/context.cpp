// SPDX-License-Identifier: Apache-2.0
#include "zokio/task/context.h"

namespace zokio::task {
namespace {
constinit thread_local Context thread_context;
}

// Out of line and opaque: a coroutine that moved to another thread must ask again, and a compiler
// that inlined this could keep the old thread's address in the frame.
[[gnu::noinline]] Context& context() noexcept {
  Context* address = &thread_context;
  asm volatile("" : "+r"(address));
  return *address;
}

}  // namespace zokio::task
