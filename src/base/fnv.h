#pragma once

#include <cstdint>
#include <string_view>

namespace gyre {

inline constexpr std::uint64_t kFnvBegin = 0xcbf29ce484222325ULL;

/// FNV-1a, 64 bits (Fowler, Noll, Vo): of what led to `hash`, and `text` behind it. The same
/// everywhere. O(bytes).
constexpr std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = kFnvBegin) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

}  // namespace gyre
