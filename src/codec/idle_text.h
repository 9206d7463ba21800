#pragma once

#include <string_view>

#include "base/result.h"
#include "domain/idle.h"

namespace gyre::codec {

/// Reads an idle policy (docs/guide/efficiency.md): `version: 1`, `below` (a percentage), and,
/// where wanted, `for`, `grace` and `exempt` (a list of queues). The result is valid. Pure,
/// thread-safe, O(text).
Result<IdleSpec> read_idle(std::string_view text);

}  // namespace gyre::codec
