#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace gyre::server::http {

// What the values of header fields are made of (RFC 9110, sections 5.1 and 5.6). ASCII only.

inline char lowered(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

inline std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lowered(c);
  return out;
}

/// But for their case.
inline bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lowered(x) == lowered(y); });
}

/// Without spaces and tabs around it.
inline std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// Calls `found` with each element of a comma-separated list, trimmed, until it returns true.
template <class Found>
bool any_element(std::string_view list, Found found) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (found(trimmed(list.substr(0, comma)))) return true;
    if (comma == list.npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace gyre::server::http
