// SPDX-License-Identifier: Apache-2.0
#include "exit_code.h"

namespace zokioctl {

int exit_code_of(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return kExitOk;
    case grpc::StatusCode::INVALID_ARGUMENT:
      return kExitUsage;
    case grpc::StatusCode::NOT_FOUND:
      return kExitNotFound;
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::ABORTED:
      return kExitConflict;
    case grpc::StatusCode::UNAVAILABLE:
      return kExitUnavailable;
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return kExitDenied;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return kExitTimedOut;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return kExitExhausted;
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::DATA_LOSS:
    case grpc::StatusCode::DO_NOT_USE:
      break;
  }
  return kExitFailed;
}

std::string_view exit_code_help() {
  return "Exit codes:\n"
         "  0    ok\n"
         "  1    the job or the operation failed\n"
         "  2    usage: wrong arguments, or a field that zokiod refuses\n"
         "  3    not found\n"
         "  4    conflict or precondition\n"
         "  5    cannot reach zokiod, or it takes no work now\n"
         "  6    denied\n"
         "  7    timed out\n"
         "  8    a limit was reached\n"
         "  10   soak: FAIL\n"
         "  11   soak: INCONCLUSIVE\n"
         "  125  run: zokio failed, not the job (otherwise run exits with the job's code)\n"
         "  130  interrupted\n";
}

}  // namespace zokioctl
