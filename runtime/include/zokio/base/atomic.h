// SPDX-License-Identifier: Apache-2.0
#pragma once

// Atomic<T>: std::atomic<T>, except in a model test (ZOKIO_MODEL), where every access is a step
// that the explorer of tests/model interleaves. Files whose correctness rests on the order of their
// accesses use it; plain counters and flags need not.

#include <atomic>

#ifdef ZOKIO_MODEL
#include <model/atomic.h>  // of tests/model
#else
namespace zokio {
template <class T>
using Atomic = std::atomic<T>;
}
#endif
