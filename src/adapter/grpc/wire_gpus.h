#pragma once

#include "act/agent_protocol.h"
#include "base/result.h"

namespace gyre::v1 {
class GpusSeen;
}  // namespace gyre::v1

namespace gyre::adapter::rpc {

/// What a node's probe sees, as in wire.h.
void write(const act::GpusSeen& seen, v1::GpusSeen& out);
Result<act::GpusSeen> read(const v1::GpusSeen& in);

}  // namespace gyre::adapter::rpc
