#pragma once

#include <string>

#include "act/agent_protocol.h"
#include "act/local_node.h"

namespace gyre::process {

/// What this process may use of the machine that it runs on: the CPUs it may be scheduled on and
/// the memory there is, within the limits of its control groups.
act::Machine read_machine();

/// What else is known of it: kernel, NUMA nodes, addresses. The rest is left empty.
act::MachineFacts read_facts();

/// The address from which this machine reaches "HOST:PORT"; the loopback's where it cannot be told.
std::string address_towards(const std::string& server);

}  // namespace gyre::process
