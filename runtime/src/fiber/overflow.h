// SPDX-License-Identifier: Apache-2.0
#pragma once

// Names the fiber that ran over its stack before the process dies of it.

namespace zokio::fibers {

// Installs the handler of SIGSEGV, once for the process. What is no overflow of a fiber goes to the
// handler that was there before. Thread: any.
void watch_for_overflow() noexcept;

// Gives this thread a stack for signals if it has none, because the handler cannot run on the one
// that is full. It goes when the thread ends.
void prepare_signal_stack() noexcept;

}  // namespace zokio::fibers
