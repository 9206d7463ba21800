#include "domain/idle.h"

#include <fmt/format.h>

#include "base/units.h"

namespace gyre {
namespace {

constexpr Duration kSpanMax = seconds(30LL * 86'400);
constexpr std::size_t kExemptMax = 10'000;

Result<void> check(std::string_view what, Duration span) {
  if (span >= seconds(1) && span <= kSpanMax) return {};
  return fail(ErrorKind::Invalid, "{}: expected 1s to 30d, found {}", what, format_duration(span));
}

}  // namespace

Result<void> validate(const IdleSpec& spec) {
  if (spec.below_percent < 0 || spec.below_percent > 100) {
    return fail(ErrorKind::Invalid, "below: expected 1 to 100 %, found {} %", spec.below_percent);
  }
  if (spec.exempt.size() > kExemptMax) {
    return fail(ErrorKind::Invalid, "exempt: at most {} queues", kExemptMax);
  }
  if (auto good = check("for", spec.window); !good) return good;
  return check("grace", spec.grace);
}

std::string describe(const GpuUse& use) {
  return fmt::format("{:.1f} % {} for {}", static_cast<double>(use.activity_ppm) / 10'000,
                     use.by_sm ? "SM activity" : "utilisation (SM activity is not offered)",
                     format_duration(use.over));
}

}  // namespace gyre
