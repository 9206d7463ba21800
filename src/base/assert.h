#pragma once

namespace gyre::detail {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}  // namespace gyre::detail

/// For what cannot happen whatever the input: ends the process with the place and the condition, in
/// every build. What can happen is a Result.
#define GYRE_ASSERT(condition) \
  ((condition) ? void(0) : ::gyre::detail::assertion_failed(#condition, __FILE__, __LINE__))
