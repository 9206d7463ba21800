#pragma once

#include "act/node_faults.h"
#include "base/result.h"

namespace gyre::v1 {
class Fault;
class FaultBegun;
}  // namespace gyre::v1

namespace gyre::adapter::rpc {

/// Faults on purpose, as in wire.h.
void write(const act::FaultOrder& order, v1::Fault& out);
Result<act::FaultOrder> read(const v1::Fault& in);

void write(const act::FaultBegun& begun, v1::FaultBegun& out);
act::FaultBegun read(const v1::FaultBegun& in);

}  // namespace gyre::adapter::rpc
