#pragma once

#include <charconv>
#include <string_view>
#include <system_error>

namespace gyre::server {

/// Reads a whole number that is all of `text`. Returns whether it is one that T holds.
template <class T>
bool parse_whole(std::string_view text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace gyre::server
