#pragma once

#include "cli/cli.h"
#include "cli/outcome.h"

namespace gyre::apps {

/// Watches this machine's GPUs for a while and computes on them where CUDA is there. Says what was
/// tested and what was not; returns kError where a GPU is not sound.
cli::Outcome<int> burn_in(const cli::BurnInOptions& options);

}  // namespace gyre::apps
