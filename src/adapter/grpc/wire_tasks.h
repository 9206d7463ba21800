#pragma once

#include "act/agent_protocol.h"
#include "base/result.h"

namespace gyre::v1 {
class TaskSpoke;
class TasksUsed;
}  // namespace gyre::v1

namespace gyre::adapter::rpc {

/// What running tasks use and say, as in wire.h.
void write(const act::TasksUsed& used, v1::TasksUsed& out);
Result<act::TasksUsed> read(const v1::TasksUsed& in);
void write(const act::TaskSpoke& spoke, v1::TaskSpoke& out);
Result<act::TaskSpoke> read(const v1::TaskSpoke& in);

}  // namespace gyre::adapter::rpc
