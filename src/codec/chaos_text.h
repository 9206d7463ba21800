#pragma once

#include <array>
#include <string_view>

#include "base/result.h"
#include "domain/chaos.h"
#include "domain/live_chaos.h"

namespace gyre::codec {

/// Reads a scenario of faults (docs/guide/chaos.md): `version: 1`, a `name`, and what differs from
/// ChaosSpec's defaults. What it returns is valid. Errors: Invalid; all problems of the text in one
/// message, each with its place, joined by "; ". Pure, thread-safe, O(text).
Result<ChaosSpec> read_chaos(std::string_view text);

/// The same as a running fleet lives it through, with its block `live:`. Errors: as above, and
/// faults that it cannot have.
Result<LiveChaos> read_live_chaos(std::string_view text);

/// What a cut keeps from passing, as it is written; by value of ChaosFault::Way.
inline constexpr std::array<std::string_view, 3> kChaosWays{"both", "to-server", "to-node"};
/// Whose disk; by value of ChaosFault::Of.
inline constexpr std::array<std::string_view, 2> kChaosOf{"node", "server"};

}  // namespace gyre::codec
