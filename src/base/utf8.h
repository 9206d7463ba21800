#pragma once

#include <cstddef>
#include <string_view>

namespace gyre {

/// Bytes of the UTF-8 character (RFC 3629) that `text` starts with; 0 if it starts with none.
/// Requires: not empty.
std::size_t utf8_size(std::string_view text);

/// The length of the longest prefix of `text` that is whole UTF-8 characters.
std::size_t valid_utf8_prefix(std::string_view text);

/// The length of the longest prefix of `text` that has at most `bytes_max` bytes and does not end
/// within a UTF-8 character. What is no UTF-8 is cut anywhere.
std::size_t utf8_cut(std::string_view text, std::size_t bytes_max);

}  // namespace gyre
