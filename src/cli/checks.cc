#include "cli/checks.h"

#include <fmt/format.h>

#include <charconv>
#include <string>

namespace gyre::cli {

CLI::Validator at_least(std::int64_t least) {
  const auto check = [least](const std::string& text) -> std::string {
    std::int64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc::result_out_of_range && !text.starts_with('-')) return {};
    const bool fine = error == std::errc{} && at == end && value >= least;
    return fine ? "" : fmt::format("'{}' is no whole number of at least {}", text, least);
  };
  return {check, ""};
}

}  // namespace gyre::cli
