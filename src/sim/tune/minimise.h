#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"

namespace gyre::sim {

/// Calls `value` at most `evaluations` times with points of the unit cube, the first at `start`, to
/// find one where it is small. Equal values make it call for equal points, in the same order.
/// Errors: those of `value`, which end the search; Internal where the search itself fails.
using Minimise = std::function<Result<void>(
    const std::vector<double>& start, std::uint64_t evaluations,
    const std::function<Result<double>(const std::vector<double>&)>& value)>;

}  // namespace gyre::sim
