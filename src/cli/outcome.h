#pragma once

#include <fmt/core.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "base/result.h"

namespace gyre::cli {

/// What the program returns; scripts rely on the numbers (docs/guide/cli.md).
enum ExitCode : int {
  kOk = 0,
  kError = 1,
  kUsage = 2,        // the command line or the job spec is wrong
  kNeverPlaced = 3,  // no node could ever hold it
  kWaitTimedOut = 4,
  kOverBudget = 5,  // a budget or a quota refuses it
  kNotAllowed = 6,
};

/// Why a verb ends badly: what the program returns, and what it says on stderr.
struct Failure {
  int exit_code = kError;
  std::string message;
};

template <class T>
using Outcome = tl::expected<T, Failure>;

template <class... Args>
[[nodiscard]] tl::unexpected<Failure> give_up(int exit_code, fmt::format_string<Args...> format,
                                              Args&&... args) {
  return tl::unexpected(Failure{exit_code, fmt::format(format, std::forward<Args>(args)...)});
}

inline Failure failure_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::Invalid:
      return {kUsage, error.message};
    case ErrorKind::NeverFits:
      return {kNeverPlaced, error.message};
    default:
      return {kError, error.message};
  }
}

}  // namespace gyre::cli
