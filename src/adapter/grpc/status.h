#pragma once

#include "base/result.h"

namespace grpc {
class Status;
}

namespace gyre::adapter::rpc {

/// An error as gRPC carries it, and back.
::grpc::Status status_of(const Error& error);
Error error_of(const ::grpc::Status& status);

}  // namespace gyre::adapter::rpc
