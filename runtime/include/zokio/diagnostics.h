// SPDX-License-Identifier: Apache-2.0
#pragma once

// The types of Runtime::dump(), on_stall() and start_trace(): runtime.h has the functions.

#include "zokio/stats/stall.h"
#include "zokio/stats/task_dump.h"
#include "zokio/stats/trace.h"
