// SPDX-License-Identifier: Apache-2.0
#pragma once

// The heap for the containers of the standard library.
//
//   std::pmr::vector<int> numbers(&zokio::mem::heap_resource());
//
// Thread: any.

#include <memory_resource>

namespace zokio::mem {

// Allocates from the pool "heap"; throws std::bad_alloc where allocate() says null, and for an
// alignment above 4 MiB. Lives as long as the program.
std::pmr::memory_resource& heap_resource() noexcept;

}  // namespace zokio::mem
