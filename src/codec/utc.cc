#include "codec/utc.h"

#include <cstdio>
#include <ctime>

namespace gyre::codec {

std::optional<Time> parse_utc(const std::string& text) {
  std::tm parts{};
  int used = 0;
  const int found =
      std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &used);
  std::int64_t ns = 0;
  std::size_t at = static_cast<std::size_t>(used);
  const bool fraction = found == 6 && at < text.size() && text[at] == '.';
  if (fraction) {
    ++at;
    for (std::int64_t unit = 100'000'000; at < text.size() && text[at] >= '0' && text[at] <= '9';
         ++at, unit /= 10) {
      ns += (text[at] - '0') * unit;
    }
  }
  const std::tm given = parts;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  const std::time_t seconds_since = timegm(&parts);
  const bool real = given.tm_mon == parts.tm_mon + 1 && given.tm_mday == parts.tm_mday &&
                    given.tm_hour == parts.tm_hour && given.tm_min == parts.tm_min;
  constexpr int kYearMax = 2200;
  if (found != 6 || text.substr(at) != "Z" || !real || given.tm_year < 1970 ||
      given.tm_year > kYearMax) {
    return std::nullopt;
  }
  return Time{seconds_since * 1'000'000'000 + ns};
}

}  // namespace gyre::codec
