#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace gyre::codec {

/// An image as a spec names it, in full: a relative path is below `base`, an absolute folder.
/// Without a base a relative one is refused. Errors: Invalid, with the grammar.
Result<std::string> image_named(std::string_view text, std::string_view base);

}  // namespace gyre::codec
