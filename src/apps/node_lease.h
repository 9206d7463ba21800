#pragma once

#include <string>

#include "cli/outcome.h"
#include "live/fleet.h"

namespace gyre::apps {

/// The lease of nodes by the flag --node-lease, with its margin. Errors: usage.
cli::Outcome<live::FleetOptions> read_lease(const std::string& text);

/// With the longest lease that the store's servers have ever granted, this one's included: a node
/// that was told it before may use it up. It is kept in the state folder.
live::FleetOptions remember_lease(const std::string& folder, live::FleetOptions fleet);

}  // namespace gyre::apps
