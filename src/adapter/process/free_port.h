#pragma once

#include <cstdint>
#include <optional>
#include <set>

namespace gyre::process {

/// The first TCP port from `wished` on that is not among `given` and that nobody on this node
/// listens on or is bound to; nullopt where there is none for a while. It is not kept: whoever
/// binds it first has it.
std::optional<std::int32_t> free_port(std::int32_t wished, const std::set<std::int32_t>& given);

}  // namespace gyre::process
