#pragma once

#include "act/local_node.h"

namespace gyre::process {

/// What this process may use of the machine that it runs on: the CPUs it may be scheduled on and
/// the memory there is, within the limits of its control groups.
act::Machine read_machine();

}  // namespace gyre::process
