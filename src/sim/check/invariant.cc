#include "sim/check/invariant.h"

#include <fmt/format.h>

#include <array>

#include "base/units.h"

namespace gyre::sim {
namespace {

constexpr std::array<std::string_view, 23> kNames{"gpu-overcommit",
                                                  "cpu-overcommit",
                                                  "memory-overcommit",
                                                  "gang-whole",
                                                  "gang-distinct-nodes",
                                                  "gang-together",
                                                  "placement-kept",
                                                  "request-honoured",
                                                  "legal-transition",
                                                  "runs-once",
                                                  "node-up",
                                                  "all-released",
                                                  "jobs-conserved",
                                                  "quota-kept",
                                                  "true-reason",
                                                  "books-agree",
                                                  "task-once",
                                                  "device-shared",
                                                  "true-outcome",
                                                  "recovers-alike",
                                                  "no-leak",
                                                  "service-kept",
                                                  "converges"};

}  // namespace

std::string_view to_string(Invariant invariant) {
  return kNames[static_cast<std::size_t>(invariant)];
}

std::string describe(const Violation& violation) {
  return fmt::format("invariant '{}' broken by event {} at {}: {}", to_string(violation.invariant),
                     violation.seq.value, format_duration(violation.at - Time{}), violation.detail);
}

}  // namespace gyre::sim
