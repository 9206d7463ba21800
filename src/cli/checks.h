#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>

namespace gyre::cli {

/// Checks a whole number that has no other bound.
CLI::Validator at_least(std::int64_t least);

}  // namespace gyre::cli
