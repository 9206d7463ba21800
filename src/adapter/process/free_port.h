#pragma once

#include <cstdint>

namespace gyre::process {

/// The first TCP port from `wished` on that nobody on this node listens on or is bound to; `wished`
/// itself where there is none for a while. It is not kept: whoever binds it first has it.
std::int32_t free_port(std::int32_t wished);

}  // namespace gyre::process
