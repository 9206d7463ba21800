#pragma once

#include "cli/cli.h"

namespace gyre::apps {

/// The command line's ports, each wired to the adapter that fills it in this build.
cli::Ports make_ports();

}  // namespace gyre::apps
