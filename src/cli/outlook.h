#pragma once

#include <nlohmann/json_fwd.hpp>

namespace gyre::cli {

/// What the API says is to come of a job that waits (`Waiting` in api/openapi.yaml), for a person:
/// when it starts, and what would start at once. Nothing where the API was not asked.
void print_outlook(const nlohmann::ordered_json& waiting);

}  // namespace gyre::cli
