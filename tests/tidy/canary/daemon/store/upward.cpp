// SPDX-License-Identifier: Apache-2.0
#include "../jobs/registry.h"
