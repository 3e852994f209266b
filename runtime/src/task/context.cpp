// SPDX-License-Identifier: Apache-2.0
#include "zokio/task/context.h"

#include "zokio/task/header.h"

namespace zokio::task {

// In this file, because link-time optimisation takes only those members of a library that code
// refers to, and the reference to the context below is in assembler, which it does not see.
constinit std::array<std::atomic<Executor*>, kGroups> executor_table{};

#if defined(__x86_64__) && !defined(ZOKIO_MODEL)

// Used, for the same reason.
[[gnu::used]] constinit thread_local Context thread_context;

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
