#pragma once

#include "cli/cli.h"

namespace gyre::apps {

/// `gyre simulate --serve`: plays a trace under one policy behind the REST API and the dashboard,
/// until SIGINT or SIGTERM. Returns the exit code.
cli::Outcome<int> serve_simulation(const cli::ServeOptions& options);

}  // namespace gyre::apps
