#include "adapter/grpc/status.h"

#include <grpcpp/support/status.h>

namespace gyre::adapter::rpc {

using ::grpc::StatusCode;

::grpc::Status status_of(const Error& error) {
  const auto code = [&] {
    switch (error.kind) {
      case ErrorKind::Invalid:
      case ErrorKind::NeverFits:
        return StatusCode::INVALID_ARGUMENT;
      case ErrorKind::NotFound:
        return StatusCode::NOT_FOUND;
      case ErrorKind::Conflict:
        return StatusCode::PERMISSION_DENIED;
      case ErrorKind::Unavailable:
        return StatusCode::UNAVAILABLE;
      case ErrorKind::Unsupported:
        return StatusCode::FAILED_PRECONDITION;
      case ErrorKind::NoRoom:
        return StatusCode::RESOURCE_EXHAUSTED;
      case ErrorKind::Internal:
        break;
    }
    return StatusCode::INTERNAL;
  }();
  return {code, error.message};
}

Error error_of(const ::grpc::Status& status) {
  const auto kind = [&] {
    switch (status.error_code()) {
      case StatusCode::INVALID_ARGUMENT:
        return ErrorKind::Invalid;
      case StatusCode::NOT_FOUND:
        return ErrorKind::NotFound;
      case StatusCode::PERMISSION_DENIED:
      case StatusCode::UNAUTHENTICATED:
        return ErrorKind::Conflict;
      case StatusCode::FAILED_PRECONDITION:
        return ErrorKind::Unsupported;
      case StatusCode::OK:
      case StatusCode::UNAVAILABLE:
      case StatusCode::CANCELLED:
        return ErrorKind::Unavailable;
      default:
        return ErrorKind::Internal;
    }
  }();
  if (status.ok()) return {kind, "the server has ended the connection"};
  return {kind, status.error_message()};
}

}  // namespace gyre::adapter::rpc
