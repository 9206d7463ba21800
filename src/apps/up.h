#pragma once

#include "cli/cli.h"

namespace gyre::apps {

/// `gyre up`: opens the store, recovers, starts the local node, and serves until SIGINT or SIGTERM.
/// Tasks go on when it ends. Returns the exit code.
cli::Outcome<int> up(const cli::UpOptions& options);

}  // namespace gyre::apps
