#pragma once

#include <cstdint>
#include <string>

#include "cli/outcome.h"
#include "cli/verbs.h"
#include "domain/live_chaos.h"

namespace gyre::cli {

/// How a running fleet is broken.
struct LiveChaosFlags {
  std::string scenario;  // as it was named
  std::uint64_t seed = 0;
};

/// Breaks the fleet of the session's server as the scenario says, until its time is over or SIGINT
/// or SIGTERM comes; then mends what is broken. Errors: the server cannot be reached in the
/// beginning. kError: the fleet did not recover, and chaos has been switched off.
Outcome<int> break_fleet(const Session& session, const LiveChaos& chaos,
                         const LiveChaosFlags& flags);

/// `gyre chaos status`, `on` and `off`.
void add_chaos_switch(CLI::App& chaos, Session& session);

}  // namespace gyre::cli
