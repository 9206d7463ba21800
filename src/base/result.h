#pragma once

#include <fmt/core.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace gyre {

/// What a caller can do about an error. A kind exists only where a caller acts on it.
enum class ErrorKind : unsigned char {
  Invalid,      // the input is wrong; mend it and ask again
  NeverFits,    // no node of the fleet could ever hold it
  NotFound,     // the thing named does not exist
  Conflict,     // it exists, but its state does not allow this
  Unavailable,  // not now; the same call may succeed later
  Unsupported,  // this build, host or store version cannot do it
  Internal,     // the surroundings failed (disk, operating system)
  NoRoom,       // the disk is full; the same call succeeds once there is room
};

/// What was wrong, where, and what to do; `message` is one line for a person.
struct Error {
  ErrorKind kind = ErrorKind::Internal;
  std::string message;
};

/// A value or an Error; must be looked at.
template <class T>
using Result = tl::expected<T, Error>;

template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(ErrorKind kind, fmt::format_string<Args...> format,
                                         Args&&... args) {
  return tl::unexpected<Error>(Error{kind, fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace gyre
