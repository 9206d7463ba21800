#pragma once

#include <string_view>

#include "base/result.h"
#include "domain/chaos.h"

namespace gyre::codec {

/// Reads a scenario of faults (docs/guide/chaos.md): `version: 1`, a `name`, and what differs from
/// ChaosSpec's defaults. What it returns is valid. Errors: Invalid; all problems of the text in one
/// message, each with its place, joined by "; ". Pure, thread-safe, O(text).
Result<ChaosSpec> read_chaos(std::string_view text);

}  // namespace gyre::codec
