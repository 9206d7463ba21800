#pragma once

#include <string>
#include <vector>

#include "act/agent_protocol.h"
#include "act/local_node.h"
#include "domain/node.h"

namespace gyre::apps {

/// One line for a person, on stderr.
void say(const std::string& line);

/// What the node offers, and which limits are kept on it.
void introduce(const NodeSpec& node, const act::GpuSet& gpus,
               const std::vector<std::string>& enforced);

/// What this machine's agent says of it, but for tasks and logs.
act::Hello hello_of(const NodeSpec& node, const act::GpuSet& gpus, std::string address);

}  // namespace gyre::apps
