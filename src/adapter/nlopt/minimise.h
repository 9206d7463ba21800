#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"

namespace gyre::nlopt_search {

/// Looks for a small `value` over the unit cube by NLopt: two thirds of the evaluations by DIRECT-L
/// (Gablonsky and Kelley 2001), which divides the cube, the rest by Subplex (Rowan 1990) from the
/// best point so far. Nothing in it is random. The first call is for `start`. Errors: those of
/// `value`, which end the search; Internal where NLopt refuses. Thread-safe.
Result<void> minimise(const std::vector<double>& start, std::uint64_t evaluations,
                      const std::function<Result<double>(const std::vector<double>&)>& value);

}  // namespace gyre::nlopt_search
