#pragma once

#include "cli/cli.h"

namespace gyre::apps {

/// `gyre agent`: joins a fleet where it has not yet, and looks after this machine's tasks for its
/// server until SIGINT or SIGTERM. Tasks go on when it ends. Returns the exit code.
cli::Outcome<int> agent(const cli::AgentOptions& options);

}  // namespace gyre::apps
