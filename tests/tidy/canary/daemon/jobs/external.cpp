// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>
#include <grpcpp/grpcpp.h>
