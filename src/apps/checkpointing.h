#pragma once

#include <string>
#include <vector>

#include "act/local_node.h"
#include "base/result.h"
#include "cli/cli.h"

namespace gyre::apps {

/// Whether this machine could take a checkpoint of any process, for `gyre doctor`: CRIU, which is
/// asked (`criu check`, as root alone), and NVIDIA's CUDA checkpoint. Gyre itself moves jobs by
/// their own checkpoint signal and uses neither, which each line says; so none is a warning.
/// `gpus`: those that NVML finds. Takes seconds where a program hangs.
std::vector<cli::Finding> examine_checkpointing(const Result<std::vector<act::Gpu>>& gpus);

}  // namespace gyre::apps
