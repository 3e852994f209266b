// SPDX-License-Identifier: Apache-2.0
#include "zokio/mem/mode.h"

namespace zokio::mem::internal {

const char ZOKIO_INTERNAL_JOIN_MODE(built_in_mode_, ZOKIO_MEMORY_MODE) = 0;

}  // namespace zokio::mem::internal
