// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace zokio::mem {

// Around a fork.
void lock_decay() noexcept;
void unlock_decay() noexcept;

}  // namespace zokio::mem
