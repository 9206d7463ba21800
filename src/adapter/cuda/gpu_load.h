#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"

namespace gyre::cuda {

/// Computes on every GPU of this machine for so long all together, compares with what this
/// machine's processor computes, and writes and reads most of each GPU's free memory. Returns what
/// was done; one line for a person. `library` is the driver's. Errors: Unsupported, there is no
/// CUDA driver or no device; Internal, which GPU is not sound and why.
Result<std::string> load_gpus(Duration lasts, const std::string& library = "libcuda.so.1");

}  // namespace gyre::cuda
