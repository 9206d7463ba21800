#pragma once

#include <variant>

#include "act/agent_protocol.h"
#include "base/result.h"

namespace gyre::v1 {
class FromAgent;
class FromServer;
}  // namespace gyre::v1

namespace gyre::adapter::rpc {

/// The messages of api/gyre.proto and what they mean. Reading is total: any message gives its
/// meaning or an Error of kind Invalid that names the part that is wrong. Thread-safe.
using AgentWord = std::variant<act::Hello, act::Report>;

void write(const act::Hello& hello, v1::FromAgent& out);
void write(const act::Report& report, v1::FromAgent& out);
Result<AgentWord> read(const v1::FromAgent& in);

void write(const act::Order& order, v1::FromServer& out);
Result<act::Order> read(const v1::FromServer& in);

}  // namespace gyre::adapter::rpc
