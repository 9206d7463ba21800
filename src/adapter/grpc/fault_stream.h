#pragma once

#include <string>

#include "base/result.h"
#include "live/fault_desk.h"

namespace grpc {
template <class Request, class Response>
class ServerBidiReactor;
}  // namespace grpc

namespace gyre::v1 {
class Fault;
class FaultBegun;
}  // namespace gyre::v1

namespace gyre::adapter::rpc {

/// The server's end of the line on which one node's agent takes faults. Owns itself: gRPC says when
/// it is done. `desk`, which may be null, outlives it. `node`: whose certificate was shown.
::grpc::ServerBidiReactor<v1::FaultBegun, v1::Fault>* new_fault_stream(
    live::FaultDesk* desk, const Result<std::string>& node);

}  // namespace gyre::adapter::rpc
