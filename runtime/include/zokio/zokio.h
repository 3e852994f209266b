// SPDX-License-Identifier: Apache-2.0
#pragma once

// The core vocabulary. Files, sockets, processes and the synchronisation primitives have headers of
// their own: zokio/fs/, zokio/net/, zokio/process/, zokio/sync/.

#include "zokio/base/clock.h"
#include "zokio/base/error.h"
#include "zokio/base/result.h"
#include "zokio/fork.h"
#include "zokio/generator.h"
#include "zokio/join.h"
#include "zokio/lease.h"
#include "zokio/race.h"
#include "zokio/runtime.h"
#include "zokio/scope.h"
#include "zokio/select.h"
#include "zokio/shield.h"
#include "zokio/spawn.h"
#include "zokio/spawn_blocking.h"
#include "zokio/stream.h"
#include "zokio/task/awaitable.h"
#include "zokio/task/task.h"
#include "zokio/task_local.h"
#include "zokio/time/interval.h"
#include "zokio/time/sleep.h"
#include "zokio/timeout.h"
#include "zokio/when_all.h"
#include "zokio/with_stop.h"
