#pragma once

#include <string>
#include <vector>

#include "act/local_node.h"
#include "base/result.h"
#include "base/time.h"

namespace gyre::nvml {

/// The NVIDIA GPUs of this machine, by NVML's index, which is their order on the PCI bus. The
/// library comes with the driver and is loaded now, not when this program is linked or started;
/// `library` is its file name. Errors: Unsupported, there is no such library, so no GPU; Internal,
/// it is there but does not work, with its own words, or does not answer within `patience`; its
/// thread is then left to the end of the process. API: NVML API Reference Guide, "Device
/// Queries".
Result<std::vector<act::Gpu>> find_gpus(const std::string& library = "libnvidia-ml.so.1",
                                        Duration patience = seconds(20));

}  // namespace gyre::nvml
