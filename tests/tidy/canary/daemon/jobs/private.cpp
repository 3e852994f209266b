// SPDX-License-Identifier: Apache-2.0
#include "sched/worker.h"
#include "zokio/v1/job.pb.h"
